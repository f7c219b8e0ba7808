#pragma once
// How center and gateways tell each other about logins that wait because the cluster is full. Who waits has a ticket of
// its center, 1, 2, 3 ... in the order of coming, whatever gateway it came through.
#include "base/ids.hpp"
#include "base/message.hpp"

namespace gs::session {

/// To all gateways while anybody waits, every two seconds and whenever the first one changes.
struct QueueMoved {
    std::uint64_t first = 0;       ///< the ticket of the one who is next
    std::uint32_t waiting = 0;     ///< how many wait
    std::uint32_t per_minute = 0;  ///< how many were let in during the last minute
    FIELDS(first, waiting, per_minute)
};
/// To the gateway of that ticket: attach again, with it, within thirty seconds.
struct Admitted {
    std::uint64_t ticket = 0;
    FIELDS(ticket)
};
/// Of the gateway: whoever had that ticket does not wait any more.
struct QueueLeft {
    std::uint64_t ticket = 0;
    FIELDS(ticket)
};

GS_NOTE(150, QueueMoved)
GS_NOTE(151, Admitted)
GS_NOTE(152, QueueLeft)

}  // namespace gs::session
