#pragma once
// What goes wrong in a simulation: drawn faults at drawn moments, each of which ends by itself or with heal().
// Owner: the simulation. Loop: its own.
#include "tests/sim/cluster.hpp"

namespace gs::sim {

enum class Fault : std::uint8_t {
    process_dies,
    machine_dies,
    node_stops,
    node_pauses,
    cut_one_way,
    cut,
    connection_breaks,
    client_cut,
    network_slows,
    calendar_jumps,
    disk_slows,
    disk_fails,
    game_drained,  ///< no fault, but it has to stand all others
};
inline constexpr std::size_t fault_count = 13;

struct FaultPlan {
    runtime::Duration pause = std::chrono::seconds{5};  ///< the mean between two faults
    std::vector<Fault> kinds;                           ///< drawn from; some more often than others
    /// Only nodes that have this role and no other fail, and connections of clients: then more must hold. Without a
    /// center nobody may lose an entity to another owner; without a gateway no session may have a gap.
    std::optional<Role> only;
};

class Faults {
public:
    Faults(runtime::VirtualTime& time, Cluster& cluster, Network& network, Disk& disk, Trace& trace, std::uint64_t seed,
           FaultPlan plan, std::vector<std::string> clients);

    void start() { next(); }
    /// Ends every fault and begins no more; nodes that are down start.
    void heal();

private:
    void next();
    void strike(Fault fault);
    void restart_later(const std::string& name);
    void pause(const std::string& name);
    void drain();
    void cut(const std::string& from, const std::string& to);
    [[nodiscard]] const std::string& pick_node();
    [[nodiscard]] bool may_fail(const std::string& name) const;

    runtime::VirtualLoop loop_;
    Cluster& cluster_;
    Network& network_;
    Disk& disk_;
    Trace& trace_;
    Random random_;
    FaultPlan plan_;
    std::vector<std::string> nodes_, clients_;
    bool healed_ = false;
};

}  // namespace gs::sim
