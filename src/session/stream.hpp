#pragma once
// The server's side of one session, sans I/O. It numbers what must not be lost (replies and reliable pushes), keeps it
// until the client has it, and knows which of the client's requests have arrived and which are done. It lives where
// messages are born, at the player's entity, so a killed gateway loses nothing; its mark is stored with every write of
// the entity, so a killed game knows which requests its data contains.
// Owner: the player. Loop: the game's. Units: numbers and request ids count from 1 through the life of the session.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "wire/message.hpp"
#include "wire/system.hpp"

namespace gs::session {

/// What is stored of a stream.
struct Mark {
    std::uint64_t session = 0;
    std::uint64_t done = 0;  ///< requests up to this one are done; what they changed is in the same write or before it
    std::uint64_t next = 1;  ///< the number of the next message
    OwnerEpoch writer{};     ///< who wrote it
    bool over = false;       ///< it ended: nobody resumes it, nor an older one
    bool whole = false;      ///< the frames are all that the client may not have; else the last replies
    Binary frames;
    std::vector<std::string> channels;  ///< of a whole one: where the player is a member
    bool for_heir = false;              ///< whole for whom it is handed over to; others may have missed something
    FIELDS(session, done, next, writer, over, whole, frames, channels, for_heir)
};

class Stream {
public:
    static constexpr std::size_t messages_max = 256;
    static constexpr std::size_t bytes_max = 64 * 1024;

    /// A new session; what was kept of another one is gone.
    void begin(std::uint64_t session);
    /// Its name; 0: there is none.
    [[nodiscard]] std::uint64_t session() const { return session_; }

    // --- the client's requests -----------------------------------------------------------------------------------
    enum class Arrival : std::uint8_t { next, duplicate, hole };
    Arrival arrive(std::uint64_t request_id) {
        if (request_id <= received_) return Arrival::duplicate;
        if (request_id != received_ + 1) return Arrival::hole;
        received_ = request_id;
        return Arrival::next;
    }
    [[nodiscard]] std::uint64_t received() const { return received_; }
    /// The request's turn is over.
    void done(std::uint64_t request_id);
    /// It was refused before those ahead of it were done. False: too many were.
    [[nodiscard]] bool refuse(std::uint64_t request_id);

    // --- what the client is sent ---------------------------------------------------------------------------------
    /// Gives the message the next number and keeps it. The frame lives until the next call.
    BytesView add(wire::Header header, BytesView body);
    /// The client has everything up to `number`.
    void acknowledge(std::uint64_t number) {
        if (number >= first_ && first_ < next_) drop_to(number);
    }
    [[nodiscard]] std::uint64_t next() const { return next_; }
    /// Everything after `received` is still here.
    [[nodiscard]] bool covers(std::uint64_t received) const { return received + 1 >= first_ && received < next_; }
    [[nodiscard]] BytesView frames_after(std::uint64_t received) const;
    /// Until the client has what it misses, nothing is given up for want of room.
    void hold(bool on) { held_ = on; }

    // --- resume and storage --------------------------------------------------------------------------------------
    /// The client of the session is back, and misses something: numbers go on above all that it may have seen. Its
    /// requests after `answered` that are done get their reply again, or an error where that is not kept. Returns the
    /// next number that the client gets. Errors: not_found: more is lost than can be told.
    [[nodiscard]] Result<std::uint64_t> bridge_gap(std::uint64_t received, std::uint64_t answered);
    /// With the reply to `running`, which goes out when the write is done.
    [[nodiscard]] Mark mark(const wire::Header* running, BytesView reply) const;
    /// The whole: another game role goes on from it. Nothing may be running.
    [[nodiscard]] Mark whole_mark() const;
    void restore(const Mark& mark);
    /// Nobody may resume it any more; the mark says so.
    void end() { over_ = true; }
    [[nodiscard]] bool is_over() const { return over_; }
    /// Pushes are lost that were never numbered: the client is told of a gap when it resumes.
    void tear() { torn_ = true; }
    /// Restored from a mark that was not whole, or torn: pushes may be lost.
    [[nodiscard]] bool is_torn() const { return torn_; }

private:
    [[nodiscard]] BytesView kept() const { return BytesView{frames_}.subspan(head_); }
    [[nodiscard]] std::map<std::uint64_t, BytesView> kept_replies() const;
    void drop_to(std::uint64_t number);
    void drop_first();
    void drop_all();
    void tidy();

    std::uint64_t session_ = 0, received_ = 0, done_ = 0;
    std::uint64_t first_ = 1, next_ = 1;  // numbers: of the oldest that is kept, and of the next
    Buffer frames_;
    std::size_t head_ = 0;  // bytes of frames_ that are acknowledged
    bool torn_ = false, held_ = false, over_ = false;
    std::set<std::uint64_t> refused_;  // after done_
};

}  // namespace gs::session
