#pragma once
// One message between roles: who, to whom, what, and for which entity and generation. Inside a process it may carry the
// object itself; on a link it is a frame. A body view lives as long as the delivery.
#include <memory>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/message.hpp"

namespace gs::cluster {

/// A message that stays in the process is handed over as it is; the command number vouches for its type.
struct LocalBody {
    virtual ~LocalBody() = default;
};
template <class T>
struct LocalBodyOf final : LocalBody {
    explicit LocalBodyOf(T given) : value{std::move(given)} {}
    T value;
};

struct Envelope {
    enum class Kind : std::uint8_t {
        call = 0,
        reply = 1,
        error = 2,
        note = 3,
        refused = 4,  ///< inside a process: a note comes back without its body, since the link could not take it
    };

    RoleAddress from, to;
    Kind kind = Kind::note;
    Command command = 0;
    std::uint64_t call_id = 0;
    std::uint64_t subject = 0;      ///< the player or entity that it is for; 0: the role itself
    std::uint64_t generation = 0;   ///< of the subject (a connection epoch); the receiver checks it
    std::uint32_t deadline_ms = 0;  ///< calls: time left
    BytesView body;
    LocalBody* object = nullptr;
};

/// The frame payload on a link; both ends know the two nodes, so only roles are named.
void encode_envelope(Buffer& out, const Envelope& envelope);
/// False when it cannot be read. `from.node` and `to.node` are left to the caller.
[[nodiscard]] bool decode_envelope(BytesView payload, Envelope& envelope);

}  // namespace gs::cluster
