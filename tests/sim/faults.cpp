#include "tests/sim/faults.hpp"

namespace gs::sim {

using namespace std::chrono_literals;
using runtime::Duration;

Faults::Faults(runtime::VirtualTime& time, Cluster& cluster, Network& network, Disk& disk, Trace& trace,
               std::uint64_t seed, FaultPlan plan, std::vector<std::string> clients)
    : loop_{time, "faults"},
      cluster_{cluster},
      network_{network},
      disk_{disk},
      trace_{trace},
      random_{seed, "faults"},
      plan_{std::move(plan)},
      clients_{std::move(clients)} {
    for (const auto& node : cluster.plan()) {
        if (may_fail(node.name)) nodes_.push_back(node.name);
    }
}

bool Faults::may_fail(const std::string& name) const {
    if (!plan_.only) return true;
    for (const auto& node : cluster_.plan()) {
        if (node.name == name) return node.roles == std::set{*plan_.only};
    }
    return false;
}

const std::string& Faults::pick_node() { return random_.pick(nodes_); }

void Faults::next() {
    if (plan_.kinds.empty() || nodes_.empty()) return;
    loop_.after(random_.exponential(plan_.pause), [this] {
        if (healed_) return;
        strike(random_.pick(plan_.kinds));
        next();
    });
}

void Faults::restart_later(const std::string& name) {
    loop_.after(healed_ ? Duration{} : random_.over_magnitudes(20ms, 20s), [this, name] {
        if (!cluster_.runs(name)) cluster_.start(name);
    });
}

void Faults::pause(const std::string& name) {
    if (!cluster_.runs(name) || cluster_.is_paused(name)) return;
    cluster_.set_paused(name, true);
    loop_.after(random_.over_magnitudes(50ms, 120s), [this, name] { cluster_.set_paused(name, false); });
}

/// A game that is drained while the others are gone, and takes players again when it is empty or long before.
void Faults::drain() {
    std::vector<std::string> games;
    for (const auto& node : cluster_.plan()) {
        if (node.roles.contains(Role::game) && cluster_.runs(node.name)) games.push_back(node.name);
    }
    if (games.empty()) return;
    const auto name = random_.pick(games);
    cluster_.drain(name, true);
    loop_.after(random_.over_magnitudes(5ms, 20s), [this, name] { cluster_.drain(name, false); });
}

void Faults::cut(const std::string& from, const std::string& to) {
    if (from == to) return;
    trace_.note("cut", from + ">" + to);
    network_.set_cut(from, to, true);
    loop_.after(random_.over_magnitudes(100ms, 40s), [this, from, to] {
        if (healed_) return;
        trace_.note("cut ends", from + ">" + to);
        network_.set_cut(from, to, false);
    });
}

void Faults::strike(Fault fault) {
    const auto name = pick_node();
    const auto other = pick_node();
    switch (fault) {
        case Fault::process_dies:
        case Fault::machine_dies:
            if (!cluster_.runs(name)) return;
            cluster_.crash(name, fault == Fault::process_dies);
            restart_later(name);
            return;
        case Fault::node_stops:
            if (!cluster_.runs(name) || cluster_.is_stopping(name)) return;
            cluster_.stop(name, [this, name] { restart_later(name); });
            return;
        case Fault::node_pauses:
            pause(name);
            return;
        case Fault::cut_one_way:
            cut(name, other);
            return;
        case Fault::cut:
            cut(name, other);
            cut(other, name);
            return;
        case Fault::connection_breaks:
            if (plan_.only == Role::center || random_.chance(0.5)) {
                const auto& client = random_.pick(clients_);
                if (network_.break_one(client)) trace_.note("break", client);
            } else if (network_.break_one(name)) {
                trace_.note("break", name);
            }
            return;
        case Fault::client_cut: {
            const auto& client = random_.pick(clients_);
            random_.chance(0.5) ? cut(client, name) : cut(name, client);
            return;
        }
        case Fault::network_slows:
            trace_.note("network slows", {});
            network_.set_slowness(static_cast<double>(random_.between(5, 300)));
            loop_.after(random_.over_magnitudes(100ms, 10s), [this] { network_.set_slowness(1); });
            return;
        case Fault::calendar_jumps: {
            const auto hours = static_cast<std::int64_t>(random_.between(0, 48)) - 24;
            trace_.note("calendar jumps", name);
            cluster_.set_wall_offset(name, std::chrono::hours{hours});
            loop_.after(random_.over_magnitudes(1s, 30s), [this, name] { cluster_.set_wall_offset(name, Duration{}); });
            return;
        }
        case Fault::disk_slows:
            trace_.note("disk slows", {});
            disk_.set_slowness(static_cast<double>(random_.between(10, 2000)));
            loop_.after(random_.over_magnitudes(100ms, 20s), [this] { disk_.set_slowness(1); });
            return;
        case Fault::game_drained:
            drain();
            return;
        case Fault::disk_fails:
            trace_.note("disk begins to fail", {});
            disk_.set_failing(true);
            loop_.after(random_.over_magnitudes(10ms, 10s), [this] { disk_.set_failing(false); });
            return;
    }
}

void Faults::heal() {
    healed_ = true;
    trace_.note("faults end", {});
    network_.heal();
    disk_.heal();
    for (const auto& node : cluster_.plan()) {
        cluster_.set_wall_offset(node.name, Duration{});
        if (cluster_.is_paused(node.name)) cluster_.set_paused(node.name, false);
        cluster_.runs(node.name) ? cluster_.drain(node.name, false) : cluster_.start(node.name);
    }
}

}  // namespace gs::sim
