#pragma once
// Live players go from one game role to another: a game that is drained gives them, the others take them, and what is
// pushed to a player follows. The steps are in session/messages.hpp. At every moment storage knows the owner: whoever
// opened the player last.
// Owner: the game role. Loop: its own. Errors: a player who cannot go stays, plays on, and is tried again.
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "api/module.hpp"
#include "api/role.hpp"
#include "api/session.hpp"
#include "api/storage.hpp"
#include "roles/game/players.hpp"

namespace gs::game {

class HandOver {
public:
    /// What the role does with its players. Tasks and hooks: inside a turn of the player.
    class Host {
    public:
        /// Errors: unavailable, busy: it does not take that player now.
        virtual void require_room(PlayerId player) const = 0;
        /// Makes this role the owner if it is not, and reads the player; true when it was the owner already. One that
        /// may be old (this role was paused or cut off meanwhile) is checked in storage first. With `expected`: only
        /// while that write is the last one.
        virtual Task<bool> own(Player& player, bool may_be_old, std::optional<storage::Ownership> expected) = 0;
        /// Others see the player once what its enter hooks changed is durable. Errors: unavailable: not the owner any
        /// more.
        virtual Task<> settle(Player& player) = 0;
        /// Saves what is unsaved, however long that takes.
        virtual Task<Saved> save(Player& player, bool always) = 0;
        virtual Task<Saved> save_last(Player& player, bool for_heir) = 0;
        virtual Task<Saved> save_confirmed(Player& player) = 0;
        virtual void run_enter_hooks(Player& player) = 0;
        virtual void run_leave_hooks(Player& player) = 0;
        /// Ends the turn of a player who is not played here (any more) and forgets them, unless somebody waits for a
        /// turn. Fenced: and says so.
        virtual void drop(Player& player) = 0;
        virtual void drop_fenced(Player& player) = 0;
        virtual void send_frame(Player& player, BytesView frame) = 0;
        /// Ends that connection, and repeats it until the gateway has heard it; the client resumes.
        virtual void cut_off(PlayerId player, RoleAddress gateway, ConnectionEpoch connection,
                             std::string_view why) = 0;
        /// To the cluster: whether players are taken, and how many are here. Soon: once for all who come in a tick.
        virtual void report() = 0;
        virtual void report_soon() = 0;

    protected:
        ~Host() = default;
    };
    HandOver(cluster::RoleBus bus, Players& players, Metrics& metrics, Host& host);

    void start();
    /// From here on nobody goes or comes.
    void stop();
    [[nodiscard]] bool is_draining() const { return draining_; }

    // --- what the role asks while players come and go
    /// Another game has taken the player over.
    [[nodiscard]] bool has_given(PlayerId player) const;
    /// And the center knows: one that it sends here is placed here anew.
    [[nodiscard]] bool is_known_to_be_given(PlayerId player) const;
    /// The center has sent the player here again.
    void came_back(PlayerId player);
    /// The player is not here any more.
    void forget(PlayerId player);
    /// The client left for good: the game that takes the player over is to know it.
    void pass_on(const session::LeaveGame& note);

    // --- pushes: to where the player is
    void push_to(PlayerId player, BytesView message);
    /// What came for the player before it was loaded.
    void push_early(Player& player);
    /// More came than is kept.
    [[nodiscard]] bool has_lost_early(PlayerId player) const;

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
    /// A player whom this game takes over. It ends with HandedOver, or when that does not come.
    struct Arrival {
        RoleAddress from;
        runtime::Time since{};
        bool has_turn = false;  ///< the player is here, and waits as `pushes` do; until then take() works on it
        bool over = false, unwanted = false, lost = false;
        /// Of others than `from`: they wait until everything that came before has come.
        std::vector<Binary> pushes{};
    };
    struct Early {
        std::vector<Binary> pushes;
        bool lost = false;         ///< there were too many
        bool is_returned = false;  ///< the player is not loaded after all: more of them go back to the center
    };
    /// Another game, as a place for players.
    struct Heir {
        std::uint32_t load = 0;   ///< what it reported last
        std::uint32_t given = 0;  ///< so many players since then
        runtime::Time ask_again{};
    };

    // --- the game that gives
    session::Draining drain(const session::Drain& request);
    void begin_round();
    void give_more();
    [[nodiscard]] bool is_alone() const;
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

    // --- the game that takes
    Task<Done> take(RoleAddress from, session::TakeOver request);
    void end_arrival(RoleAddress from, const session::HandedOver& note);
    /// The player was not loaded: what has come, and then `later`, goes back to the center.
    void return_early(Player& player, const std::vector<Binary>& later);
    /// Those whom the other game says nothing more of.
    void end_stale_arrivals(runtime::Duration patience);
    void lose_game(RoleAddress game);

    // --- pushes
    void deliver(const cluster::Envelope& envelope);
    /// False: no other game has the player.
    bool forward(PlayerId player, BytesView message, std::uint64_t returns);
    /// Who is not here is where the center says.
    void return_to_center(PlayerId player, BytesView message, std::uint64_t returns);
    void push_here(Player& player, RoleAddress from, BytesView message);
    void number_push(Player& player, BytesView message);

    cluster::RoleBus bus_;
    Players& players_;
    Host& host_;
    bool draining_ = false, stopping_ = false;
    std::deque<PlayerId> to_give_;  // in this round
    std::set<PlayerId> giving_;
    std::set<PlayerId> busy_;                       // wait for a turn first; more than `giving_` may hold
    std::map<PlayerId, runtime::Time> stay_until_;  // tried in vain a moment ago
    std::map<RoleAddress, Heir> heirs_;
    std::uint64_t next_forward_ = 1;
    std::map<PlayerId, Forward> forwards_;
    std::map<PlayerId, Arrival> arriving_;
    std::map<PlayerId, Early> early_;  // for players who are being loaded
    Counter& handed_over_;
    Counter& gone_;
    runtime::Timers timers_;
    runtime::Tasks tasks_;  // last: ends first
};

}  // namespace gs::game
