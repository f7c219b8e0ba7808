#pragma once
// What a session is to a client beyond the single connection, sans I/O: the requests that are kept until their reply,
// and how far the server's messages have come. docs/protocol.md, Sessions. Owner: the Protocol.
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/message.hpp"
#include "wire/system.hpp"

namespace gs::client {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = std::chrono::microseconds;

/// Waits for one reply: finish() is called once, unless the protocol object is destroyed before.
class Pending {
public:
    virtual ~Pending() = default;
    /// The view lives during the call only.
    virtual void finish(Result<BytesView> body) = 0;
};

class Session {
public:
    /// Forgets everything: a fresh session.
    void begin(const wire::Entered& entered);
    /// The session goes on. Errors: invalid when the server's counts do not fit this side's.
    [[nodiscard]] Result<void> go_on(const wire::Entered& entered);
    /// What says to the server which session this is; `nonce` is that of the connection's hello.
    [[nodiscard]] wire::Enter resumption(BytesView nonce) const;

    // --- requests: 1, 2, 3 ... without a hole. One stays here until the server has answered it and all before it.
    struct Request {
        Command command = 0;
        Buffer body;
        Time deadline{};
        std::shared_ptr<Pending> pending;  ///< empty when nobody waits any more
        bool secret = false;
    };
    /// Whether what is written says which requests are secret: for wire::seal, which takes the mark away.
    void mark_secrets(bool marks) { marks_secrets_ = marks; }
    [[nodiscard]] std::uint64_t add(Request request);
    void write(Buffer& out, std::uint64_t id);
    void write_after(Buffer& out, std::uint64_t id);
    enum class Answer : std::uint8_t { expected, late, of_other_command, of_nothing };
    /// Fills `pending` when the answer is expected.
    [[nodiscard]] Answer answer(const wire::Header& header, std::shared_ptr<Pending>& pending);
    /// Those whose deadline has passed; they are kept to be sent again, since the ids may have no hole.
    [[nodiscard]] std::vector<std::shared_ptr<Pending>> expire(Time now);
    /// All that wait; nothing is kept.
    [[nodiscard]] std::vector<std::shared_ptr<Pending>> end();
    [[nodiscard]] Time earliest_deadline() const { return earliest_deadline_; }
    [[nodiscard]] std::size_t waiting() const { return waiting_; }
    [[nodiscard]] std::size_t kept() const { return requests_.size(); }
    [[nodiscard]] std::size_t kept_bytes() const { return kept_bytes_; }

    // --- numbered messages of the server
    enum class Arrival : std::uint8_t { next, duplicate, hole };
    [[nodiscard]] Arrival receive(std::uint64_t number, std::size_t bytes, Time now);
    [[nodiscard]] std::uint64_t received() const { return received_; }
    /// When an acknowledgement must leave at the latest; Time::max(): there is nothing to acknowledge.
    [[nodiscard]] Time acknowledge_by() const { return acknowledge_by_; }
    /// So much is unacknowledged that the next request is not waited for.
    [[nodiscard]] bool must_acknowledge() const;
    void write_ack(Buffer& out);
    [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }

private:
    struct Kept {
        Request request;
        bool answered = false;
    };
    [[nodiscard]] std::uint64_t next_id() const { return first_id_ + requests_.size(); }
    /// The number to acknowledge with what is sent now; 0: none is due.
    [[nodiscard]] std::uint64_t take_ack();
    void acknowledged();
    void drop_answered();

    PlayerId player_{};
    std::uint64_t name_ = 0;
    Binary key_;
    std::deque<Kept> requests_;  // first_id_, first_id_ + 1 ...; all before them are answered
    std::uint64_t first_id_ = 1;
    std::size_t waiting_ = 0, kept_bytes_ = 0;
    Time earliest_deadline_ = Time::max();  // not later than that of any
    std::uint64_t received_ = 0;            // the server's messages up to this one have come
    std::uint64_t unacknowledged_ = 0;
    std::size_t unacknowledged_bytes_ = 0;
    Time acknowledge_by_ = Time::max();
    std::uint64_t duplicates_ = 0;
    bool marks_secrets_ = false;
};

}  // namespace gs::client
