#pragma once
// The game of a hand-over that gives: while it is drained, its players go to the other games, and what others still push
// to them here follows. A player who cannot go stays, plays on, and is tried again.
// Owner: HandOver. Loop: the game's.
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "api/role.hpp"
#include "roles/game/hand_over_host.hpp"

namespace gs::game {

class Giver {
public:
    Giver(cluster::RoleBus bus, Players& players, Metrics& metrics, HandOverHost& host);

    void start();
    /// From here on nobody goes.
    void stop();
    [[nodiscard]] bool is_draining() const { return draining_; }

    /// Another game has taken the player over.
    [[nodiscard]] bool has_given(PlayerId player) const;
    /// And the center knows: one that it sends here is placed here anew.
    [[nodiscard]] bool is_known_to_be_given(PlayerId player) const;
    /// The player is here again.
    void came_back(PlayerId player) { forwards_.erase(player); }
    /// The client left for good: the game that takes the player over is to know it.
    void pass_on(const session::LeaveGame& note);
    /// Sends the push after the player, or keeps it until that one has gone or stays. False: no other game has the
    /// player, nor is about to.
    bool forward(PlayerId player, BytesView message, std::uint64_t returns);
    void lose_game(RoleAddress game);

private:
    class Patience;
    /// A player whom another game takes over, or has taken over: what others still send here goes there.
    struct Forward {
        RoleAddress to;
        std::uint64_t number = 0;  ///< a later one of the same player has another
        bool accepted = false;     ///< until then pushes wait: the player may stay
        bool told = false;         ///< the center sends nothing more to here
        runtime::Time until{};     ///< when what was on its way has come; counts once the center is told
        std::vector<Binary> pushes{};
        bool lost = false;  ///< there were too many
        std::optional<session::LeaveGame> left{};
    };
    /// Another game, as a place for players.
    struct Heir {
        std::uint32_t load = 0;   ///< what it reported last
        std::uint32_t given = 0;  ///< so many players since then
        runtime::Time ask_again{};
    };

    session::Draining drain(const session::Drain& request);
    void begin_round();
    void give_more();
    [[nodiscard]] bool is_alone() const;
    [[nodiscard]] bool may_take(const cluster::Instance& game) const;
    [[nodiscard]] std::optional<RoleAddress> choose_heir();
    Task<> give(PlayerId player);
    Task<> hold_and_give(PlayerId player);
    Task<> give_held(Player& player, ConnectionEpoch connection, RoleAddress heir);
    Task<> end_giving(Player& player, ConnectionEpoch connection, RoleAddress heir);
    /// The player did not go: what waited is pushed here.
    void take_back(Player& player, ConnectionEpoch connection);
    /// Its turn ends here: it goes on as if nothing had been.
    void stay(Player& player, ConnectionEpoch connection);
    void accepted(Forward& forward, PlayerId player);
    Task<Result<Done>> move_at_center(session::MovePlayer request);
    Task<> tell_center(session::MovePlayer request, std::uint64_t number);
    /// The center knows; what was on its way to here is forwarded for a while.
    void told(PlayerId player);
    void end_forwards();

    cluster::RoleBus bus_;
    Players& players_;
    HandOverHost& host_;
    bool draining_ = false, stopping_ = false;
    std::deque<PlayerId> to_give_;  // in this round
    std::set<PlayerId> giving_;
    std::set<PlayerId> busy_;                       // wait for a turn first; more than `giving_` may hold
    std::map<PlayerId, runtime::Time> stay_until_;  // tried in vain a moment ago
    std::map<RoleAddress, Heir> heirs_;
    std::uint64_t next_forward_ = 1;
    std::map<PlayerId, Forward> forwards_;
    Counter& handed_over_;
    Counter& gone_;
    runtime::Timers timers_;
    runtime::Tasks tasks_;  // last: ends first
};

}  // namespace gs::game
