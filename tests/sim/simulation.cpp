#include "tests/sim/simulation.hpp"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/log.hpp"
#include "tests/sim/faults.hpp"
#include "tests/sim/hostile.hpp"
#include "tests/sim/resender.hpp"

namespace gs::sim {

using namespace std::chrono_literals;
using runtime::Duration;

namespace {

// Bounds of the second phase, in virtual time.
constexpr auto ready_limit = 60s;
constexpr auto proof_limit = 120s;
constexpr auto arrival_limit = 60s;
constexpr auto quiet_limit = 120s;

class LogLevel {
public:
    explicit LogLevel(log::Level level) : before_{log::detail::level.load()} { log::set_level(level); }
    LogLevel(const LogLevel&) = delete;
    LogLevel& operator=(const LogLevel&) = delete;
    ~LogLevel() { log::set_level(before_); }

private:
    log::Level before_;
};

std::vector<NodePlan> draw_nodes(Random& random, const FaultPlan& faults) {
    std::vector<std::pair<std::string, Role>> instances;
    const auto add = [&](std::string_view name, Role role, std::uint64_t most) {
        const auto count = random.between(1, most);
        for (std::uint64_t number = 1; number <= count; ++number) {
            instances.emplace_back(fmt::format("{}{}", name, number), role);
        }
    };
    add("center", Role::center, 2);
    add("store", Role::storage, 2);
    add("login", Role::login, 1);
    add("gate", Role::gateway, 3);
    add("game", Role::game, 3);
    const double drawn = random.chance(0.15) ? 1 : random.chance(0.4) ? 0.3 : 0;
    const double together = faults.only ? 0 : drawn;
    std::vector<NodePlan> nodes;
    std::string letters = "abcdefghijk";
    for (const auto& [name, role] : instances) {
        const auto fits = [&, role = role](const NodePlan& node) { return !node.roles.contains(role); };
        const auto place = std::find_if(nodes.begin(), nodes.end(), fits);
        if (place != nodes.end() && random.chance(together)) {
            place->roles.insert(role);
            continue;
        }
        // The name that sorts first makes the connection, so the order is drawn too.
        const auto letter = random.between(0, letters.size() - 1);
        nodes.push_back({fmt::format("{}-{}", letters[letter], name), {role}});
        letters.erase(letter, 1);
    }
    return nodes;
}

NetworkPlan draw_network(Random& random, const FaultPlan& faults) {
    NetworkPlan plan;
    plan.latency = random.over_magnitudes(50us, 50ms);
    plan.jitter = random.over_magnitudes(20us, 30ms);
    plan.stall = random.chance(0.5) ? 0 : random.unit() * 0.02;
    if (faults.only) plan = {plan.latency / 10, plan.jitter / 10};  // else links are lost by chance
    plan.piece_max = random.chance(0.7) ? 0 : random.between(50, 5000);
    return plan;
}

FaultPlan draw_faults(Random& random) {
    FaultPlan plan;
    if (random.chance(0.05)) return plan;  // none at all
    plan.pause = random.over_magnitudes(700ms, 20s);
    if (random.chance(0.16)) {
        plan.only = random.chance(0.5) ? Role::center : Role::gateway;
        plan.kinds = {Fault::process_dies, Fault::connection_breaks, Fault::connection_breaks,
                      Fault::connection_breaks};
        if (plan.only == Role::gateway) {
            plan.kinds.insert(plan.kinds.end(), {Fault::machine_dies, Fault::node_stops, Fault::node_pauses,
                                                 Fault::client_cut, Fault::game_drained, Fault::game_drained});
        }
        plan.pause = random.between(200ms, 3s);
        return plan;
    }
    for (std::size_t kind = 0; kind < fault_count; ++kind) {
        const auto weight = random.chance(0.4) ? 0 : random.between(1, 4);
        plan.kinds.insert(plan.kinds.end(), weight, static_cast<Fault>(kind));
    }
    return plan;
}

using Workloads = std::vector<std::unique_ptr<Workload>>;

std::map<std::string, SettingScalar> draw_settings(Random& random, const Workloads& workloads) {
    std::map<std::string, SettingScalar> settings{
        {"gateway.heartbeat_seconds", static_cast<std::int64_t>(random.between(2, 15))},
        {"game.save_period_seconds", static_cast<std::int64_t>(random.between(1, 60))}};
    for (const auto& workload : workloads) workload->configure(settings);
    return settings;
}

Workloads make_workloads(World& world, const std::vector<MakeWorkload>& makers) {
    Workloads workloads;
    for (const auto& make : makers) workloads.push_back(make(world));
    return workloads;
}

class Simulation {
public:
    Simulation(std::uint64_t seed, Options options, const std::vector<MakeWorkload>& workloads);
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;
    ~Simulation() { network_.end_of_world(); }

    [[nodiscard]] Outcome run();

private:
    void build_clients();
    void start_all();
    void faults_phase();
    void healing_phase();
    void visits_phase();
    void quiet_phase();
    /// Fails the trace with what `missing` says when it does not become empty in time.
    void wait_for(const char* what, Duration limit, const std::function<std::string()>& missing);
    [[nodiscard]] std::string not_proved(bool guests) const;
    [[nodiscard]] std::string double_sessions() const;
    [[nodiscard]] std::string what_is_missing() const;
    [[nodiscard]] std::string what_is_left() const;
    void pass(Duration duration) {
        static_cast<void>(time_.run_until([this] { return trace_.failed(); }, duration));
    }

    std::uint64_t seed_;
    Random random_;
    runtime::VirtualTime time_;
    Trace trace_;
    FaultPlan fault_plan_;
    Network network_;
    runtime::VirtualLoop client_loop_{time_, "clients"};
    World world_;
    Workloads workloads_;
    Disk disk_;
    Cluster cluster_;
    BotWorld clients_;
    std::vector<std::unique_ptr<Bot>> bots_;
    std::vector<std::unique_ptr<Hostile>> hostiles_;
    std::vector<std::unique_ptr<Resender>> resenders_;
    std::unique_ptr<Faults> faults_;
};

Simulation::Simulation(std::uint64_t seed, Options options, const std::vector<MakeWorkload>& workloads)
    : seed_{seed},
      random_{seed, "simulation"},
      time_{seed},
      trace_{time_, options.print_trace},
      fault_plan_{draw_faults(random_)},
      network_{time_, trace_, seed, draw_network(random_, fault_plan_)},
      world_{client_loop_, trace_, {}, fault_plan_.only == Role::gateway},
      workloads_{make_workloads(world_, workloads)},
      disk_{trace_,
            seed,
            {random_.over_magnitudes(100us, 20ms), random_.chance(0.7) || fault_plan_.only ? 0 : 0.02},
            [this](const storage::Commit& commit) {
                for (const auto& workload : workloads_) workload->on_stored(commit);
            }},
      cluster_{time_,
               network_,
               disk_,
               trace_,
               draw_nodes(random_, fault_plan_),
               draw_settings(random_, workloads_),
               std::chrono::milliseconds{random_.between(1000, 5000)}},
      clients_{world_, client_loop_, network_, trace_, cluster_.gateways(), workloads_} {
    clients_.think = random_.over_magnitudes(100ms, 2s);
    clients_.patience = random_.over_magnitudes(1s, 20s);
    clients_.leaves = random_.chance(0.5) ? 0.003 : 0.05;
    if (fault_plan_.only == Role::center) {  // many takeovers at the moments when it comes back
        clients_.guest_pause = 2s;
        clients_.think = 200ms;
    }
    // Whoever does not read is sent more than is kept for the next connection.
    clients_.slow = random_.chance(0.7) || world_.only_gateways_fail ? 0 : 0.01;
    clients_.calendars_jump = std::count(fault_plan_.kinds.begin(), fault_plan_.kinds.end(), Fault::calendar_jumps) > 0;
    build_clients();
}

void Simulation::build_clients() {
    const auto players = random_.between(3, 14);
    std::vector<std::string> hosts;
    for (std::uint64_t id = 1; id <= players; ++id) world_.players.push_back(PlayerId{id});
    for (const auto player : world_.players) {
        hosts.push_back(fmt::format("bot{}", player));
        bots_.push_back(std::make_unique<Bot>(clients_, seed_, hosts.back(), player, false));
        if (random_.chance(0.7) && fault_plan_.only != Role::center) continue;
        hosts.push_back(fmt::format("guest{}", player));
        bots_.push_back(std::make_unique<Bot>(clients_, seed_, hosts.back(), player, true));
    }
    const auto hostiles = random_.chance(0.5) ? 0 : random_.between(1, 4);
    for (std::uint64_t number = 1; number <= hostiles; ++number) {
        hostiles_.push_back(std::make_unique<Hostile>(clients_, seed_, fmt::format("evil{}", number)));
    }
    const auto resenders = random_.chance(0.6) ? 0 : random_.between(1, 2);
    for (std::uint64_t number = 1; number <= resenders; ++number) {
        hosts.push_back(fmt::format("resender{}", number));
        resenders_.push_back(std::make_unique<Resender>(clients_, seed_, hosts.back(), PlayerId{700 + number}));
    }
    faults_ = std::make_unique<Faults>(time_, cluster_, network_, disk_, trace_, seed_, fault_plan_, hosts);
}

void Simulation::start_all() {
    for (const auto& node : cluster_.plan()) {
        client_loop_.after(random_.between(0ms, 1000ms), [this, name = node.name] { cluster_.start(name); });
    }
    for (const auto& bot : bots_) bot->start();
    for (const auto& hostile : hostiles_) hostile->start();
    for (const auto& resender : resenders_) resender->start();
}

void Simulation::wait_for(const char* what, Duration limit, const std::function<std::string()>& missing) {
    trace_.note("waits", what);
    const auto until = time_.now() + limit;
    while (!trace_.failed()) {
        const auto left = missing();
        if (left.empty()) return;
        if (time_.now() >= until) {
            trace_.fail(fmt::format("{}: not within {} s after the last fault: {}", what,
                                    std::chrono::duration_cast<std::chrono::seconds>(limit).count(), left));
            return;
        }
        pass(1s);
    }
}

std::string Simulation::not_proved(bool guests) const {
    for (const auto& bot : bots_) {
        if (bot->is_guest() == guests && !bot->has_proved()) return bot->state();
    }
    return {};
}

std::string Simulation::double_sessions() const {
    std::map<PlayerId, std::string> entered;
    for (const auto& bot : bots_) {
        if (!bot->is_entered()) continue;
        const auto [place, first] = entered.emplace(bot->player(), bot->host());
        if (!first) return fmt::format("player {} is played by {} and {}", bot->player(), place->second, bot->host());
    }
    return {};
}

std::string Simulation::what_is_missing() const {
    for (const auto& workload : workloads_) {
        if (auto missing = workload->missing(); !missing.empty()) return missing;
    }
    return {};
}

std::string Simulation::what_is_left() const {
    const std::vector<std::string> gauges{"gameserver_gateway_connections", "gameserver_game_players",
                                          "gameserver_online_players"};
    const auto values = cluster_.totals(gauges);
    for (std::size_t index = 0; index < gauges.size(); ++index) {
        if (values[index] != 0) return fmt::format("{} is {}", gauges[index], values[index]);
    }
    return {};
}

void Simulation::faults_phase() {
    start_all();
    pass(2s);
    faults_->start();
    pass(random_.between(20s, 90s));
    if (fault_plan_.only == Role::center && disk_.fenced() > 0) {
        trace_.fail(
            fmt::format("only the center died, and {} writes were refused since a second game had opened the "
                        "player",
                        disk_.fenced()));
    }
}

void Simulation::healing_phase() {
    faults_->heal();
    for (const auto& hostile : hostiles_) hostile->end();
    for (const auto& resender : resenders_) resender->end();
    wait_for("every node is ready", ready_limit, [this] { return cluster_.not_ready_because(); });
    for (const auto& bot : bots_) bot->prove();
    wait_for("every player plays", proof_limit, [this] { return not_proved(false); });
    wait_for("one session for each player", proof_limit, [this] { return double_sessions(); });
    wait_for("what was confirmed arrives", arrival_limit, [this] { return what_is_missing(); });
}

/// Nothing is wrong any more: who logs in and takes over is served on that very connection.
void Simulation::visits_phase() {
    clients_.healthy = true;
    pass(10s);
    for (const auto& bot : bots_) bot->visit();
    wait_for("every guest plays", proof_limit, [this] { return not_proved(true); });
}

void Simulation::quiet_phase() {
    for (const auto& bot : bots_) bot->end();
    wait_for("nothing is left of who has gone", quiet_limit, [this] { return what_is_left(); });
    if (trace_.failed()) return;
    for (const auto& workload : workloads_) workload->at_end();
}

Outcome Simulation::run() {
    faults_phase();
    if (!trace_.failed()) healing_phase();
    if (!trace_.failed()) visits_phase();
    if (!trace_.failed()) quiet_phase();
    Outcome outcome;
    outcome.violation = trace_.violation();
    outcome.last_events = trace_.last_events();
    outcome.hash = trace_.hash();
    outcome.events = trace_.events();
    outcome.commits = disk_.commits();
    outcome.virtual_seconds = std::chrono::duration<double>{time_.now().time_since_epoch()}.count();
    std::vector<std::string> nodes;
    for (const auto& node : cluster_.plan()) {
        nodes.push_back(node.name);
        if (node.roles.size() > 1) nodes.back() += fmt::format("({})", fmt::join(node.roles, " "));
    }
    outcome.plan = fmt::format("nodes {}; {} players, {} clients, {} hostile, {} resending; {} events, {} commits",
                               fmt::join(nodes, " "), world_.players.size(), bots_.size(), hostiles_.size(),
                               resenders_.size(), outcome.events, outcome.commits);
    return outcome;
}

}  // namespace

Outcome simulate(std::uint64_t seed, Options options, const std::vector<MakeWorkload>& workloads) {
    const LogLevel level{options.print_log ? log::Level::debug : log::Level::off};
    Simulation simulation{seed, options, workloads};
    return simulation.run();
}

}  // namespace gs::sim
