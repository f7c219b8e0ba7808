#include "roles/game/scenes.hpp"

#include "roles/game/players.hpp"

namespace gs::game {

namespace {
constexpr std::size_t name_bytes_max = 64;
constexpr std::size_t scenes_per_player_max = 100;
}  // namespace

Scenes::Scenes(cluster::RoleBus bus, const Players& players, Metrics& metrics, std::function<void()> before_push)
    : bus_{bus},
      players_{players},
      before_push_{std::move(before_push)},
      scenes_{metrics.gauge("gameserver_game_scenes", "scenes that have players")},
      pushes_{metrics.counter("gameserver_scene_pushes_total", "messages pushed to a scene, whatever its size")} {}

void Scenes::require_room(PlayerId player, const std::string& scene) const {
    if (scene.empty() || scene.size() > name_bytes_max)
        throw Error{Code::invalid, "a scene's name has 1 to {} bytes, this one {}", name_bytes_max, scene.size()};
    if (players_.find(player) == nullptr) throw Error{Code::not_found, "player {} is not here", player};
    const auto known = scenes_of_.find(player);
    if (known != scenes_of_.end() && known->second.size() >= scenes_per_player_max && !known->second.contains(scene))
        throw Error{Code::limited, "a player can be in {} scenes at once", scenes_per_player_max};
}

void Scenes::enter(PlayerId player, const std::string& scene) {
    if (players_.find(player) == nullptr) return;  // gone since it was asked for
    auto& entered = scenes_of_[player];
    if (entered.size() >= scenes_per_player_max && !entered.contains(scene)) {  // many in one turn
        log::warn("player {} is in {} scenes and does not enter \"{}\"", player, entered.size(), scene);
        return;
    }
    entered.insert(scene);
    members_[scene].insert(player);
    scenes_.set(static_cast<std::int64_t>(members_.size()));
}

void Scenes::leave(PlayerId player, const std::string& scene) {
    const auto known = scenes_of_.find(player);
    if (known == scenes_of_.end() || known->second.erase(scene) == 0) return;
    if (known->second.empty()) scenes_of_.erase(known);
    take_out(player, scene);
}

void Scenes::forget(PlayerId player) {
    const auto known = scenes_of_.find(player);
    if (known == scenes_of_.end()) return;
    for (const auto& scene : known->second) take_out(player, scene);
    scenes_of_.erase(known);
}

void Scenes::take_out(PlayerId player, const std::string& scene) {
    const auto place = members_.find(scene);
    place->second.erase(player);
    if (place->second.empty()) members_.erase(place);
    scenes_.set(static_cast<std::int64_t>(members_.size()));
}

std::vector<PlayerId> Scenes::players(const std::string& scene) const {
    const auto place = members_.find(scene);
    if (place == members_.end()) return {};
    return {place->second.begin(), place->second.end()};
}

bool Scenes::has(const std::string& scene, PlayerId player) const {
    const auto place = members_.find(scene);
    return place != members_.end() && place->second.contains(player);
}

void Scenes::push(const std::string& scene, BytesView message) {
    const auto place = members_.find(scene);
    if (place == members_.end()) return;
    before_push_();
    pushes_.add();
    receivers_.clear();
    for (const auto id : place->second) {
        const auto* player = players_.find(id);
        if (player != nullptr && player->is_attached()) receivers_[player->gateway()].push_back(id);
    }
    for (const auto& [gateway, receivers] : receivers_) {
        body_.clear();
        msgpack::Writer writer{body_};
        writer.array(receivers.size());
        std::uint64_t before = 0;
        for (const auto id : receivers) {
            const auto number = static_cast<std::uint64_t>(id);
            writer.unsigned_integer(number - std::exchange(before, number));
        }
        body_.append(message);
        bus_.send_raw(gateway, session::relay_to_players, 0, 0, body_);
    }
}

}  // namespace gs::game
