#pragma once
// Two players who change together, in whatever games: the one who asks gathers both changes and commits them in one
// transaction; the other's turn stays taken until it is told how that ended. Who is told nothing (the asker was lost)
// finds out: it writes its next write without any change. If storage takes it, the common one has not happened, and
// never can; if storage has that number already, it has.
// Owner: the game role. Loop: its own. Errors of together(): busy, not_found and conflict mean that nothing was done; what
// the other player's part throws comes through as it is.
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "api/module.hpp"
#include "api/role.hpp"
#include "api/session.hpp"
#include "api/storage.hpp"

namespace gs::game {

class Players;

class Partners {
public:
    /// What the role does with a player whose turn ends here and who is not played any more.
    struct Ends {
        std::function<void(Player&)> fenced, gone;
    };
    Partners(cluster::RoleBus bus, Players& players, entity::Persistence& persistence, Ends ends);
    ~Partners();

    void add(std::unique_ptr<PartHandler> part, const std::string& module);
    /// For the turn that runs now.
    Task<Binary> together(PlayerId other, Command part, Binary body);
    /// Whether the common change was done that this player's next write was to be, when storage has not said so. No
    /// value: this role does not own the player any more, or cannot know.
    Task<std::optional<bool>> was_done(Player& player);

private:
    class Asking;
    struct Part {
        std::unique_ptr<PartHandler> handler;
        std::string module;
    };
    using Key = std::pair<RoleAddress, std::uint64_t>;  // of the asker
    struct Waiting {
        PlayerId player{};
        runtime::TimerId timer{};
    };
    /// One who waits for the turn of a player here.
    struct Queued {
        PlayerId asker{};
        runtime::Promise<bool> has_turn;
    };

    Task<RoleAddress> game_of(PlayerId player);
    /// Two who ask each other must not both wait, nor both be refused, again and again in step: the one with the smaller
    /// id waits. Then whoever waits for one who asks has a smaller id than that one, and no circle closes; one who keeps
    /// others waiting meanwhile never waits for one who asks.
    [[nodiscard]] static bool may_wait(PlayerId asker, PlayerId asking) {
        return asker != PlayerId{} && asker < asking;
    }
    /// The player begins to ask.
    void refuse_queued(PlayerId player);
    /// Takes the player's turn; false: it was not free in time, or the asker must not wait for it any more.
    Task<bool> turn_of(Player& player, PlayerId asker);
    void give_turn_back(Player& player);
    Task<session::Prepared> prepare(RoleAddress from, session::Prepare request);
    session::Prepared run_part(Player& player, const session::Prepare& request);
    void decide(const Key& key, bool done);
    Task<> find_out(PlayerId player);
    void end_turn(Player& player, bool done);

    cluster::RoleBus bus_;
    Players& players_;
    entity::Persistence& persistence_;
    Ends ends_;
    std::map<Command, Part> parts_;
    std::map<Key, Waiting> waiting_;
    std::multimap<PlayerId, Queued> queued_;  // by the player whose turn it is
    std::set<PlayerId> asking_;               // ours whose turn waits for another one
    std::uint64_t next_id_ = 1;
    runtime::Tasks tasks_;
};

}  // namespace gs::game
