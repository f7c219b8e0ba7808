#pragma once
// The scenes of a game role: who is in which, and what is pushed to one. Loop: the game's.
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "api/role.hpp"
#include "api/scene.hpp"
#include "api/session.hpp"

namespace gs::game {

class Players;

class Scenes final : public SceneService {
public:
    /// `before_push` lets go what was said to players before.
    Scenes(cluster::RoleBus bus, const Players& players, Metrics& metrics, std::function<void()> before_push);

    void require_room(PlayerId player, const std::string& scene) const override;
    void enter(PlayerId player, const std::string& scene) override;
    void leave(PlayerId player, const std::string& scene) override;
    [[nodiscard]] std::vector<PlayerId> players(const std::string& scene) const override;
    [[nodiscard]] bool has(const std::string& scene, PlayerId player) const override;
    void push(const std::string& scene, BytesView message) override;

    /// The player leaves the game.
    void forget(PlayerId player);

private:
    void take_out(PlayerId player, const std::string& scene);

    cluster::RoleBus bus_;
    const Players& players_;
    std::function<void()> before_push_;
    std::map<std::string, std::set<PlayerId>> members_;
    std::map<PlayerId, std::set<std::string>> scenes_of_;
    std::map<RoleAddress, std::vector<PlayerId>> receivers_;  // of what is pushed just now
    Buffer body_;
    Gauge& scenes_;
    Counter& pushes_;
};

}  // namespace gs::game
