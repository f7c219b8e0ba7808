#pragma once
// A scene: those players of this game role who see the same thing, such as a room, a map or a match, by its name. What is
// pushed to it is encoded once, and goes to each gateway once with the list of who gets it. Members are in the memory of
// the game role: who leaves the game is taken out of it, and an enter hook puts in again who comes from another game role.
//   context.scene("arena").enter(player.id());   context.scene("arena").push(Frame{...});
// Loop: the game's. Players of other game roles share a channel, not a scene.
#include <string>
#include <vector>

#include "api/push.hpp"
#include "base/ids.hpp"
#include "entity/turn.hpp"

namespace gs {

class SceneService {
public:
    /// Throws Error: not_found: the player is not here; invalid: the name; limited: the player is in too many.
    virtual void require_room(PlayerId player, const std::string& scene) const = 0;
    virtual void enter(PlayerId player, const std::string& scene) = 0;
    virtual void leave(PlayerId player, const std::string& scene) = 0;
    [[nodiscard]] virtual std::vector<PlayerId> players(const std::string& scene) const = 0;
    [[nodiscard]] virtual bool has(const std::string& scene, PlayerId player) const = 0;
    /// `message` is a whole client message.
    virtual void push(const std::string& scene, BytesView message) = 0;

protected:
    ~SceneService() = default;
};

class Scene {
public:
    Scene(SceneService& service, const DeclaredPushes& pushes, std::string name)
        : service_{service}, pushes_{pushes}, name_{std::move(name)} {}

    /// When the turn commits, as pushes: what is pushed after it in the same turn reaches the player. Errors: not_found:
    /// the player is not in this game role; invalid: a name of no, or more than 64 bytes; limited: the player is in 100.
    void enter(PlayerId player) const {
        service_.require_room(player, name_);
        entity::after_commit([service = &service_, player, name = name_] { service->enter(player, name); });
    }
    void leave(PlayerId player) const {
        entity::after_commit([service = &service_, player, name = name_] { service->leave(player, name); });
    }
    /// Who is in it now, also those whose client is away for a moment; in the order of their numbers.
    [[nodiscard]] std::vector<PlayerId> players() const { return service_.players(name_); }
    [[nodiscard]] bool has(PlayerId player) const { return service_.has(name_, player); }
    /// To all who are in it when the turn commits, but not to one who is just entering the game (an enter hook pushes to
    /// that player itself). It is not sent again: who is away misses it. With `state = true` a client that is behind
    /// gets the latest one only, of all scenes and subjects together, and maybe after what was said later.
    template <Push T>
    void push(const T& message) const {
        entity::after_commit(
            [service = &service_, name = name_, bytes = pushes_.encode(message)] { service->push(name, bytes); });
    }

private:
    SceneService& service_;
    const DeclaredPushes& pushes_;
    std::string name_;
};

}  // namespace gs
