#pragma once
// Live players go from one game role to another: a game that is drained gives them (giver.hpp), the others take them
// (taker.hpp), and what is pushed to a player follows (here). The steps are in session/messages.hpp. At every moment
// storage knows the owner: whoever opened the player last.
// Owner: the game role. Loop: its own. Errors: a player who cannot go stays, plays on, and is tried again.
#include "roles/game/giver.hpp"
#include "roles/game/taker.hpp"

namespace gs::game {

class HandOver {
public:
    HandOver(cluster::RoleBus bus, Players& players, Metrics& metrics, HandOverHost& host);

    void start();
    /// From here on nobody goes or comes.
    void stop();
    [[nodiscard]] bool is_draining() const { return giver_.is_draining(); }

    // --- what the role asks while players come and go: as in giver.hpp and taker.hpp
    [[nodiscard]] bool has_given(PlayerId player) const { return giver_.has_given(player); }
    [[nodiscard]] bool is_known_to_be_given(PlayerId player) const { return giver_.is_known_to_be_given(player); }
    void pass_on(const session::LeaveGame& note) { giver_.pass_on(note); }
    void came_back(PlayerId player) { taker_.came_back(player); }
    void forget(PlayerId player) { taker_.forget(player); }
    void push_early(Player& player) { taker_.push_early(player); }
    [[nodiscard]] bool has_lost_early(PlayerId player) const { return taker_.has_lost_early(player); }

    /// To where the player is.
    void push_to(PlayerId player, BytesView message);

private:
    void deliver(const cluster::Envelope& envelope);

    cluster::RoleBus bus_;
    Players& players_;
    Giver giver_;
    Taker taker_;
    Counter& gone_;
};

}  // namespace gs::game
