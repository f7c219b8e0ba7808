#pragma once
// One connection to a gateway, sans I/O: received bytes in, replies and pushes out; requests in, bytes to send out.
// Owner: the caller moves the bytes and tells the time; callbacks may call send() and close(), and must not destroy it.
// Errors of a reply: what the server answered; unavailable: never sent; deadline: sent, whether it was done is unknown;
// busy: a bound of this object (requests_max, output_bytes_max); invalid: longer than the server takes.
#include <chrono>
#include <deque>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/message.hpp"
#include "base/msgpack.hpp"
#include "base/result.hpp"
#include "wire/message.hpp"
#include "wire/system.hpp"

namespace gs::client {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = std::chrono::microseconds;

/// Waits for one reply: finish() is called once, unless the connection object is destroyed before.
class Pending {
public:
    virtual ~Pending() = default;
    /// The view lives during the call only.
    virtual void finish(Result<BytesView> body) = 0;
};

class ProtocolEvents {
public:
    virtual ~ProtocolEvents() = default;
    virtual void on_entered(const wire::Entered& entered) = 0;
    virtual void on_push(Command command, BytesView body) = 0;
    /// The last call; not after close(). Before on_entered it says why the player was not let in.
    virtual void on_closed(const wire::Close& close) = 0;
};

struct ProtocolOptions {
    std::string client_version = "cpp";
    Duration enter_deadline = std::chrono::seconds{5};  ///< from start() to Entered
    std::size_t frame_bytes_max = 1U << 20U;            ///< of what the server sends
    std::size_t requests_max = 65'536;                  ///< without a reply
    std::size_t output_bytes_max = 16U << 20U;          ///< not taken yet by the transport
};

class Protocol {
public:
    explicit Protocol(ProtocolEvents& events, ProtocolOptions options = {})
        : events_{events}, options_{std::move(options)} {}

    /// Says hello; once the server has accepted that, enters with the token.
    void start(std::string token, Time now);
    void receive(BytesView bytes, Time now);
    /// Does what is due: heartbeat, silence, deadlines. Call it at next_tick() or later.
    void tick(Time now);
    [[nodiscard]] Time next_tick() const;
    /// The transport ended.
    void lost(std::string_view reason);
    /// The server broke the protocol, as the owner found out (a push that does not decode).
    void fail(std::string reason);
    /// This side ends it: what waits is finished, on_closed is not called.
    void close();

    template <Request R>
    void send(const R& message, Time deadline, std::shared_ptr<Pending> pending) {
        const auto begin = begin_request(command_of<R>);
        msgpack::encode_to(output_, message);
        finish_request(begin, {std::move(pending), deadline, command_of<R>}, name_of<R>());
    }

    /// What is to be sent; the caller takes it away.
    [[nodiscard]] Buffer& output() { return output_; }
    [[nodiscard]] bool entered() const { return state_ == State::entered; }
    [[nodiscard]] bool closed() const { return state_ == State::closed; }
    /// Of the last heartbeat; zero before the first answer.
    [[nodiscard]] Duration rtt() const { return rtt_; }
    /// Replies that came after their deadline.
    [[nodiscard]] std::uint64_t late_replies() const { return late_replies_; }
    [[nodiscard]] std::size_t waiting() const { return waiting_; }

private:
    enum class State : std::uint8_t { idle, hello, entering, entered, closed };
    struct Slot {
        std::shared_ptr<Pending> pending;  // empty once it is finished
        Time deadline{};
        Command command = 0;
    };

    std::size_t take_frames(BytesView stream, Time now);
    void take_frame(BytesView payload, Time now);
    void take_hello(BytesView payload, Time now);
    void take_entered(const wire::MessageView& message, Time now);
    void take_reply(const wire::MessageView& message, Time now);
    void take_control(const wire::MessageView& message, Time now);
    void send_ping(Time now);
    std::size_t begin_request(Command command);
    void finish_request(std::size_t begin, Slot slot, std::string_view name);
    [[nodiscard]] Result<void> may_send(std::size_t frame_bytes, std::string_view name) const;
    std::shared_ptr<Pending> release(Slot& slot);
    void expire(Time now);
    void end(const wire::Close& close);
    void finish_all();

    ProtocolEvents& events_;
    ProtocolOptions options_;
    State state_ = State::idle;
    std::string token_;
    Buffer input_, output_;
    std::deque<Slot> slots_;  // of the requests first_id_, first_id_ + 1 ...
    std::uint64_t first_id_ = 1, next_id_ = 1;
    std::size_t waiting_ = 0;
    Time earliest_deadline_ = Time::max();  // not later than that of any slot
    Time enter_by_ = Time::max();
    Time last_heard_{}, next_ping_ = Time::max();
    Duration heartbeat_{0}, rtt_{0};
    std::size_t sent_frame_bytes_max_ = 0;
    std::uint64_t late_replies_ = 0;
};

}  // namespace gs::client
