#pragma once
// What bots do and what is checked, beside connecting, resuming and leaving: a workload for each subject. Those of this
// repository are in workloads/; a module that lives elsewhere brings its own (docs/reliability.md, "Your own module").
// Owner: the simulation owns workloads and scripts, and they live as long as it does. Loop: the clients'; on_stored() is
// called at the moment at which the disk has it. Errors: what contradicts an invariant goes to World::trace.fail().
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/storage.hpp"
#include "base/settings.hpp"
#include "tests/sim/trace.hpp"

namespace gs::sim {

class Bot;

/// What all workloads of a simulation see.
struct World {
    runtime::Loop& loop;
    Trace& trace;
    std::vector<PlayerId> players{};  ///< whom bots play
    /// Only gateways and connections of clients fail: the session of each player goes on without a gap, and what is
    /// pushed to a player arrives.
    bool only_gateways_fail = false;
};

/// What one bot does and expects in one workload. Several bots may play the same player, one after the other.
class Script {
public:
    virtual ~Script() = default;
    /// Does one thing, usually a request (Bot::request). Called again and again while the bot has a session.
    virtual void act() = 0;
    /// A fresh session: what was true in an earlier one need not be true in this one.
    virtual void on_entered() {}
    /// The session goes on, and what the loss of a server may take back is gone: pushes, states, class B data. A request
    /// that was not answered may be done a second time, or not at all.
    virtual void on_gap() {}
    /// The session is over.
    virtual void on_left() {}
    virtual void on_push(Command command, BytesView body) {
        static_cast<void>(command);
        static_cast<void>(body);
    }
    /// The faults are over: makes a request that must succeed, and tells how it ended. It is called again until it does.
    virtual void prove(std::function<void(bool done)> tell) { tell(true); }
};

class Workload {
public:
    virtual ~Workload() = default;
    /// How often its scripts act, in comparison with those of the others; 0: never, they only listen.
    [[nodiscard]] virtual std::uint64_t weight() const = 0;
    [[nodiscard]] virtual std::unique_ptr<Script> make_script(Bot& bot) = 0;
    /// The configuration that it needs, for all nodes: "module.trade.first_gold" and a value.
    virtual void configure(std::map<std::string, SettingScalar>& settings) { static_cast<void>(settings); }
    /// A transaction that the disk has taken: now, once, and for good.
    virtual void on_stored(const storage::Commit& commit) { static_cast<void>(commit); }
    /// Nothing is wrong any more, and everyone plays: what has yet to come. It must become empty in bounded time.
    [[nodiscard]] virtual std::string missing() const { return {}; }
    /// Nobody plays any more and nothing is under way.
    virtual void at_end() {}
};

using MakeWorkload = std::function<std::unique_ptr<Workload>(World& world)>;

template <class T>
[[nodiscard]] MakeWorkload workload() {
    return [](World& world) { return std::make_unique<T>(world); };
}

/// Those for the modules of this repository.
[[nodiscard]] std::vector<MakeWorkload> own_workloads();

}  // namespace gs::sim
