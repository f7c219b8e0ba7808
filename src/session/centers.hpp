#pragma once
// Which center keeps what: the players and the channels of a cluster are spread over its centers.
// Loop: the bus's. Errors: unavailable: that center is not ready now.
#include "base/planted.hpp"
#include "cluster/bus.hpp"

namespace gs::session {

[[nodiscard]] inline std::uint64_t center_key(PlayerId player) {
    return cluster::shard_key(static_cast<std::uint64_t>(player));
}
[[nodiscard]] inline std::uint64_t center_key(std::string_view channel) { return cluster::shard_key(channel); }

[[nodiscard]] inline Result<RoleAddress> center_of(const cluster::RoleBus& bus, PlayerId player) {
    if (planted(PlantedBug::two_keepers)) return bus.any(Role::center);
    return bus.keeper(Role::center, center_key(player));
}
[[nodiscard]] inline Result<RoleAddress> center_of(const cluster::RoleBus& bus, std::string_view channel) {
    return bus.keeper(Role::center, center_key(channel));
}

}  // namespace gs::session
