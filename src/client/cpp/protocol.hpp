#pragma once
// A player's session with a gateway, sans I/O: received bytes in, replies and pushes out; requests in, bytes to send
// out. It may span several connections: when one is lost the session is away, and resume() brings it back.
// Owner: the caller moves the bytes and tells the time; callbacks may call send(), close() and give_up(), and must not
// start or resume it or destroy it.
// Errors of a reply: what the server answered; unavailable: never sent; deadline: sent, whether it was done is unknown;
// busy: a bound of this object (requests_max, requests_bytes_max); invalid: longer than the server takes.
#include <functional>
#include <optional>
#include <string>

#include "base/message.hpp"
#include "base/msgpack.hpp"
#include "client/cpp/session.hpp"
#include "wire/noise/secure_hello.hpp"
#include "wire/sealing.hpp"

namespace gs::client {

class ProtocolEvents {
public:
    virtual ~ProtocolEvents() = default;
    /// A fresh session begins.
    virtual void on_entered(const wire::Entered& entered) = 0;
    /// The session goes on; `state` tells whether pushes may be missing (gap).
    virtual void on_resumed(const wire::Entered& entered) = 0;
    /// The server is full: the player waits to be let in, and hears this again and again.
    virtual void on_queued(const wire::Queued& queued) = 0;
    virtual void on_push(Command command, BytesView body) = 0;
    /// The connection is over, the session is not: connect anew, to any gateway, and call resume(). It is also what
    /// comes of a resume that failed and may be tried again.
    virtual void on_away(const wire::Close& close) = 0;
    /// The session is over, or was never there: it says why the player was not let in. Not after close().
    /// `close.reconnect` tells whether start() with a token makes sense.
    virtual void on_closed(const wire::Close& close) = 0;
};

struct ProtocolOptions {
    std::string client_version = "cpp";
    std::string device;  ///< a name for what it runs on, which a ban may name
    /// From start() or resume() to Entered, and from each word of the queue to the next.
    Duration enter_deadline = std::chrono::seconds{5};
    std::size_t frame_bytes_max = 1U << 20U;      ///< of what the server sends
    std::size_t requests_max = 65'536;            ///< that the server has not answered
    std::size_t requests_bytes_max = 16U << 20U;  ///< of these
    std::vector<PublicKey> roots;  ///< pinned: connections are encrypted, and only with gateways that these vouch for
    std::string zone;              ///< of the gateways' certificates; empty: any that the roots sign for
    std::uint64_t features = wire::feature::all;  ///< that the server may choose from
    std::size_t compress_from = 1024;             ///< longer requests are compressed, but never secret ones; bytes
    std::function<std::uint64_t()> milliseconds;  ///< of any clock that only goes on; empty: the system's
    std::function<std::int64_t()> unix_seconds;   ///< the calendar, for certificates; empty: the system's
};

class Protocol {
public:
    explicit Protocol(ProtocolEvents& events, ProtocolOptions options = {})
        : events_{events}, options_{std::move(options)} {}

    /// The roots that login names for the next connection, used when the options pin none. None: not encrypted.
    void trust(std::vector<PublicKey> roots) { login_roots_ = std::move(roots); }
    /// On a new connection: says hello, then enters with the token for a fresh session. An earlier one is over.
    void start(std::string token, Time now);
    /// On a new connection, of a session that is away: says hello, then goes on.
    void resume(Time now);
    void receive(BytesView bytes, Time now);
    /// Does what is due: heartbeat, silence, deadlines, acknowledgement. Call it at next_tick() or later.
    void tick(Time now);
    [[nodiscard]] Time next_tick() const;
    /// The transport ended.
    void lost(std::string_view reason);
    /// The server broke the protocol, as the owner found out (a push that does not decode).
    void fail(std::string reason);
    /// Nobody will resume: the session is over, as if the server had said so.
    void give_up(const wire::Close& close);
    /// This side ends it: what waits is finished, on_closed is not called. The last word to the server is in output().
    void close();

    /// While the session is away the request waits, as long as its deadline allows.
    template <Request R>
    void send(const R& message, Time deadline, std::shared_ptr<Pending> pending) {
        Session::Request request{command_of<R>, {}, deadline, std::move(pending), is_secret<R>};
        msgpack::encode_to(request.body, message);
        send_request(std::move(request), name_of<R>());
    }

    /// What is to be sent; the caller takes it away.
    [[nodiscard]] Buffer& output();
    /// What is sent and received is encrypted.
    [[nodiscard]] bool encrypted() const { return records_.has_value(); }
    /// The connection is good and the player is in.
    [[nodiscard]] bool entered() const { return state_ == State::entered; }
    /// There is no connection, and resume() may be called.
    [[nodiscard]] bool away() const { return state_ == State::away; }
    /// A session exists, be it away or not.
    [[nodiscard]] bool in_session() const { return in_session_; }
    [[nodiscard]] bool closed() const { return state_ == State::closed; }
    /// Of the last heartbeat; zero before the first answer.
    [[nodiscard]] Duration rtt() const { return rtt_; }
    /// Replies that came after their deadline.
    [[nodiscard]] std::uint64_t late_replies() const { return late_replies_; }
    /// Messages of this session that came a second time.
    [[nodiscard]] std::uint64_t duplicates() const { return session_.duplicates(); }
    [[nodiscard]] std::size_t waiting() const { return session_.waiting(); }

private:
    enum class State : std::uint8_t { idle, hello, entering, entered, away, closed };

    void say_hello(Time now);
    [[nodiscard]] bool connected() const {
        return state_ == State::hello || state_ == State::entering || state_ == State::entered;
    }
    [[nodiscard]] const std::vector<PublicKey>& roots() const;
    void take_stream(BytesView bytes, Time now);
    void take_records(BytesView bytes, Time now);
    std::size_t open_records(BytesView stream, Time now);
    std::size_t take_frames(BytesView stream, Time now);
    void take_frame(BytesView payload, Time now);
    void seal_output();
    void take_message(const wire::MessageView& message, Time now);
    [[nodiscard]] bool is_next(const wire::MessageView& message, Time now);
    void take_hello(BytesView payload, Time now);
    [[nodiscard]] wire::Close unproved(wire::Close close) const;
    [[nodiscard]] bool secure(wire::ServerHello& hello);
    void take_entered(const wire::MessageView& message, Time now);
    void enter(const wire::Entered& entered);
    void take_reply(const wire::MessageView& message, Time now);
    void take_control(const wire::MessageView& message, Time now);
    void send_ping(Time now);
    void send_request(Session::Request request, std::string_view name);
    [[nodiscard]] Result<void> may_send(std::size_t body_bytes, std::string_view name) const;
    void end(const wire::Close& close);
    void leave_connection(State state);
    void end_session();

    ProtocolEvents& events_;
    ProtocolOptions options_;
    State state_ = State::idle;
    bool in_session_ = false;
    Session session_;
    std::string token_;
    std::vector<PublicKey> login_roots_;
    std::optional<wire::noise::ClientHandshake> handshake_;  // between the hellos
    std::optional<wire::noise::Records> records_;            // after them, when it is encrypted
    std::uint64_t features_ = 0;                             // of this connection
    Buffer input_, output_;                                  // frames
    Buffer framed_output_;                                   // the same with what the features ask for
    Buffer unsealed_;                                        // one frame
    Buffer sealed_input_, sealed_output_;                    // records
    Time enter_by_ = Time::max();
    Time last_heard_{}, next_ping_ = Time::max();
    Duration heartbeat_{0}, rtt_{0};
    std::size_t sent_frame_bytes_max_ = 0;
    std::uint64_t late_replies_ = 0;
};

}  // namespace gs::client
