#include "roles/game/hand_over.hpp"

namespace gs::game {

HandOver::HandOver(cluster::RoleBus bus, Players& players, Metrics& metrics, HandOverHost& host)
    : bus_{bus},
      players_{players},
      giver_{bus, players, metrics, host},
      taker_{bus, players, giver_, host},
      gone_{metrics.counter("gameserver_game_gone_total", "messages for players or connections that are gone")} {
    bus_.on_raw(session::relay_to_player, [this](const cluster::Envelope& envelope) { deliver(envelope); });
    bus_.watch([this](const cluster::Instance& instance, bool up) {
        if (instance.address.role == Role::game && !up && bus_.bus().find(instance.address) == nullptr) {
            taker_.lose_game(instance.address);
            giver_.lose_game(instance.address);
        }
    });
}

void HandOver::start() {
    giver_.start();
    taker_.start();
}

void HandOver::stop() {
    giver_.stop();
    taker_.stop();
}

void HandOver::push_to(PlayerId id, BytesView message) {
    if (giver_.forward(id, message, 0)) return;
    if (auto* player = players_.find(id)) {
        taker_.push_here(*player, bus_.address(), message);
    } else {
        taker_.return_to_center(id, message, 0);
    }
}

void HandOver::deliver(const cluster::Envelope& envelope) {
    const PlayerId id{envelope.subject};
    if (giver_.forward(id, envelope.body, envelope.generation)) return;
    if (auto* player = players_.find(id)) {
        taker_.push_here(*player, envelope.from, envelope.body);
        return;
    }
    // Forwarded to here, and gone since: the center knows where the player is.
    if (envelope.from.role == Role::game) {
        taker_.return_to_center(id, envelope.body, envelope.generation + 1);
    } else {
        gone_.add();
    }
}

}  // namespace gs::game
