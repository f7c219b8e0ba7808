#pragma once
// A client of the simulation: the client kit's protocol over connections of the simulated network. It resumes a session
// by itself, as often as its owner wants that; what to do when the session is over is its owner's business.
// Owner: lives as long as the simulation. Loop: the clients'.
#include <functional>

#include "client/cpp/protocol.hpp"
#include "client/cpp/reconnect.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/random.hpp"

namespace gs::sim {

class ClientOwner {
public:
    virtual void on_entered() = 0;
    /// The session goes on.
    virtual void on_resumed(bool gap) = 0;
    virtual void on_push(Command command, BytesView body) = 0;
    /// It asks to resume the session: the frame of its Enter.
    virtual void on_resume_sent(BytesView frame) { static_cast<void>(frame); }
    /// The connection is lost: false forgets the session, as a program that was restarted, and on_lost follows.
    virtual bool wants_to_resume(const wire::Close& close) = 0;
    /// The session is over, or there never was one. Does not connect again inside the call.
    virtual void on_lost(const wire::Close& close) = 0;

protected:
    ~ClientOwner() = default;
};

class Client final : private transport::ConnectionHandler, private client::ProtocolEvents {
public:
    /// `gateways`: addresses; outlives the client.
    Client(Network& network, runtime::Loop& loop, std::string host, const std::vector<std::string>& gateways,
           std::uint64_t seed, ClientOwner& owner);

    void connect(std::size_t gateway, std::string token);
    /// Ends it without a word; on_lost is not called.
    void disconnect();
    /// Ends it and says so.
    void leave();
    void set_reading(bool reading);

    [[nodiscard]] bool is_idle() const { return !connecting_ && connection_ == nullptr && !protocol_.in_session(); }
    [[nodiscard]] bool is_entered() const { return protocol_.entered(); }
    /// Entered, or it will try to resume.
    [[nodiscard]] bool in_session() const { return protocol_.in_session(); }
    [[nodiscard]] std::size_t waiting() const { return protocol_.waiting(); }
    [[nodiscard]] const std::string& host() const { return host_; }
    /// Logins and resumes that were sent and got no answer: the server may yet do them.
    [[nodiscard]] std::uint64_t enters_in_doubt() const { return enters_lost_ + (enter_sent_ ? 1 : 0); }

    /// `done` is called once, with the reply or the error.
    template <Request R>
    void request(const R& message, runtime::Duration deadline, std::function<void(Result<ReplyOf<R>>)> done) {
        protocol_.send(message, loop_.now() + deadline, std::make_shared<Waiting<R>>(std::move(done)));
        after_work();
    }

private:
    template <Request R>
    struct Waiting final : client::Pending {
        explicit Waiting(std::function<void(Result<ReplyOf<R>>)> given) : done{std::move(given)} {}
        void finish(Result<BytesView> body) override {
            done(body ? msgpack::decode<ReplyOf<R>>(*body) : Result<ReplyOf<R>>{body.error()});
        }
        std::function<void(Result<ReplyOf<R>>)> done;
    };

    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;
    void on_entered(const wire::Entered& entered) override;
    void on_resumed(const wire::Entered& entered) override;
    void on_queued(const wire::Queued& /*queued*/) override {}
    void on_push(Command command, BytesView body) override;
    void on_away(const wire::Close& close) override;
    void on_closed(const wire::Close& close) override;
    /// `begin` is told once there is a connection.
    void open(std::size_t gateway, std::function<void()> begin, std::function<void(const Error&)> failed);
    void resume_later();
    /// Sends what the protocol wrote, and sees that its next tick comes.
    void after_work();
    void drop_connection();
    void note_enter(BytesView output);

    Network& network_;
    runtime::Loop& loop_;
    std::string host_;
    const std::vector<std::string>& gateways_;
    Random random_;
    ClientOwner& owner_;
    client::Protocol protocol_;
    client::Reconnect reconnect_;
    std::shared_ptr<transport::Connection> connection_;
    std::size_t gateway_ = 0;  // of the connection
    bool connecting_ = false, is_in_ = false;
    bool enter_sent_ = false;  // on this connection, and there is no answer
    std::uint64_t enters_lost_ = 0;
    std::uint64_t attempt_ = 0;
    runtime::TimerId tick_ = runtime::TimerId::none;
    runtime::Time tick_at_{};
};

}  // namespace gs::sim
