#pragma once
// What the two sides of a hand-over need of the role whose players come and go.
#include <optional>

#include "api/module.hpp"
#include "api/session.hpp"
#include "api/storage.hpp"
#include "roles/game/players.hpp"

namespace gs::game {

/// What the role does with its players. Tasks and hooks: inside a turn of the player.
class HandOverHost {
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
    /// Gives a push its place in the player's stream.
    virtual void push(Player& player, BytesView message) = 0;
    /// Ends that connection, and repeats it until the gateway has heard it; the client resumes.
    virtual void cut_off(PlayerId player, RoleAddress gateway, ConnectionEpoch connection, std::string_view why) = 0;
    /// To the cluster: whether players are taken, and how many are here. Soon: once for all who come in a tick.
    virtual void report() = 0;
    virtual void report_soon() = 0;

protected:
    ~HandOverHost() = default;
};

}  // namespace gs::game
