#pragma once
// The players that this game role owns. Loop: the game's.
#include <memory>
#include <set>
#include <vector>

#include "api/session.hpp"

namespace gs::game {

using session::Player;

/// How a write of a player ended. Refused: storage will never take it as it is. Fenced: another game owns the player.
enum class Saved : std::uint8_t { yes, refused, fenced };

class Players {
public:
    [[nodiscard]] Player* find(PlayerId id) const {
        const auto place = players_.find(id);
        return place == players_.end() ? nullptr : place.value().get();
    }
    Player& find_or_create(PlayerId id) {
        auto& player = players_[id];
        if (player == nullptr) {
            player = std::make_unique<Player>(id);
            order_.insert(id);
        }
        return *player;
    }
    void erase(PlayerId id) {
        players_.erase(id);
        order_.erase(id);
    }
    [[nodiscard]] std::size_t size() const { return players_.size(); }
    /// In the order of their ids, so that what follows does not depend on a hash.
    [[nodiscard]] std::vector<PlayerId> ids() const { return {order_.begin(), order_.end()}; }
    /// The one who follows in that order; null: there is none. PlayerId{0} comes before all.
    [[nodiscard]] Player* next(PlayerId after) const {
        const auto place = order_.upper_bound(after);
        return place == order_.end() ? nullptr : find(*place);
    }

private:
    HashMap<PlayerId, std::unique_ptr<Player>> players_;
    std::set<PlayerId> order_;
};

}  // namespace gs::game
