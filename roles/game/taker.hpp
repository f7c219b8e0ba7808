#pragma once
// The game of a hand-over that takes: it opens the player, and lets what the other game forwards come before what others
// push to the player here. Errors: what it cannot take stays with the other game, and so does what was pushed here.
// Owner: HandOver. Loop: the game's.
#include <map>

#include "api/role.hpp"
#include "roles/game/giver.hpp"
#include "roles/game/hand_over_host.hpp"

namespace gs::game {

class Taker {
public:
    Taker(cluster::RoleBus bus, Players& players, Giver& giver, HandOverHost& host);

    void start();
    /// From here on nobody comes.
    void stop();

    /// The center has sent the player here.
    void came_back(PlayerId player);
    /// The player is not here any more.
    void forget(PlayerId player);
    void lose_game(RoleAddress game);

    /// To a player of this game, loaded or about to be, in the order in which the pushes are to come.
    void push_here(Player& player, RoleAddress from, BytesView message);
    /// What came for the player before it was loaded.
    void push_early(Player& player);
    /// More came than is kept.
    [[nodiscard]] bool has_lost_early(PlayerId player) const;
    /// Who is not here is where the center says. Returns: how often a game has sent it back, this time included.
    void return_to_center(PlayerId player, BytesView message, std::uint64_t returns);

private:
    /// A player whom this game takes over. It ends with HandedOver, or when that does not come.
    struct Arrival {
        RoleAddress from;
        runtime::Time since{};
        bool has_turn = false;  ///< the player is here, and waits as `pushes` do; until then take() works on it
        bool over = false, unwanted = false, lost = false;
        /// Of others than `from`: they wait until everything that came before has come.
        std::vector<Binary> pushes{};
    };
    /// For a player who is being loaded.
    struct Early {
        std::vector<Binary> pushes;
        bool lost = false;         ///< there were too many
        bool is_returned = false;  ///< the player is not loaded after all: more of them go back to the center
    };

    Task<Done> take(RoleAddress from, session::TakeOver request);
    void end_arrival(RoleAddress from, const session::HandedOver& note);
    /// The player was not loaded: what has come, and then `later`, goes back to the center.
    void return_early(Player& player, const std::vector<Binary>& later);
    /// Pushes to a player of this game are lost, wherever it was.
    void tell_gap(PlayerId player);
    /// Those whom the other game says nothing more of.
    void end_stale_arrivals(runtime::Duration patience);

    cluster::RoleBus bus_;
    Players& players_;
    Giver& giver_;
    HandOverHost& host_;
    bool stopping_ = false;
    std::map<PlayerId, Arrival> arriving_;
    std::map<PlayerId, Early> early_;
    runtime::Timers timers_;
};

}  // namespace gs::game
