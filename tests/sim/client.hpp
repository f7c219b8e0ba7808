#pragma once
// A client of the simulation: the client kit's protocol over a connection of the simulated network. It does one
// connection at a time and never connects again by itself; what to do is its owner's business.
// Owner: lives as long as the simulation. Loop: the clients'.
#include <functional>

#include "client/cpp/protocol.hpp"
#include "tests/sim/network.hpp"

namespace gs::sim {

class ClientOwner {
public:
    virtual void on_entered() = 0;
    virtual void on_push(Command command, BytesView body) = 0;
    /// The connection is over, or there never was one. Does not connect again inside the call.
    virtual void on_lost(const wire::Close& close) = 0;

protected:
    ~ClientOwner() = default;
};

class Client final : private transport::ConnectionHandler, private client::ProtocolEvents {
public:
    Client(Network& network, runtime::Loop& loop, std::string host, ClientOwner& owner);

    void connect(const std::string& address, std::string token);
    /// Ends it without a word; on_lost is not called.
    void disconnect();
    void set_reading(bool reading);

    [[nodiscard]] bool is_idle() const { return !connecting_ && connection_ == nullptr; }
    [[nodiscard]] bool is_entered() const { return protocol_ != nullptr && protocol_->entered(); }
    [[nodiscard]] std::size_t waiting() const { return protocol_ == nullptr ? 0 : protocol_->waiting(); }
    [[nodiscard]] const std::string& host() const { return host_; }

    /// `done` is called once, with the reply or the error; not when the client itself disconnects.
    template <Request R>
    void request(const R& message, runtime::Duration deadline, std::function<void(Result<ReplyOf<R>>)> done) {
        if (protocol_ == nullptr) return;
        protocol_->send(message, loop_.now() + deadline, std::make_shared<Waiting<R>>(std::move(done)));
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
    void on_push(Command command, BytesView body) override;
    void on_closed(const wire::Close& close) override;
    void connected(Result<std::shared_ptr<transport::Connection>> result, std::string token);
    /// Sends what the protocol wrote, and sees that its next tick comes.
    void after_work();
    void drop_connection();

    Network& network_;
    runtime::Loop& loop_;
    std::string host_;
    ClientOwner& owner_;
    std::unique_ptr<client::Protocol> protocol_;
    std::shared_ptr<transport::Connection> connection_;
    bool connecting_ = false;
    std::uint64_t attempt_ = 0;
    runtime::TimerId tick_ = runtime::TimerId::none;
    runtime::Time tick_at_{};
};

}  // namespace gs::sim
