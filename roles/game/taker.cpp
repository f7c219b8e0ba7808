#include "roles/game/taker.hpp"

namespace gs::game {

namespace {
constexpr auto enter_patience = std::chrono::seconds{15};
constexpr auto arrival_patience = std::chrono::seconds{8};  // more than the other game waits for the center
constexpr auto tick = std::chrono::milliseconds{500};

Binary copy_of(BytesView bytes) { return {bytes.begin(), bytes.end()}; }
}  // namespace

Taker::Taker(cluster::RoleBus bus, Players& players, Giver& giver, HandOverHost& host)
    : bus_{bus}, players_{players}, giver_{giver}, host_{host}, timers_{bus.loop()} {
    bus_.on<session::TakeOver>([this](RoleAddress from, session::TakeOver request) { return take(from, request); });
    bus_.on<session::HandedOver>([this](const cluster::Envelope& envelope, const session::HandedOver& note) {
        end_arrival(envelope.from, note);
    });
}

void Taker::start() {
    timers_.every("tick", tick, [this] { end_stale_arrivals(arrival_patience); });
}

void Taker::stop() {
    stopping_ = true;
    timers_.cancel_all();
    end_stale_arrivals({});
}

void Taker::came_back(PlayerId player) {
    giver_.came_back(player);
    if (const auto early = early_.find(player); early != early_.end()) early->second.is_returned = false;
}

void Taker::forget(PlayerId player) {
    early_.erase(player);
    arriving_.erase(player);
}

Task<Done> Taker::take(RoleAddress from, session::TakeOver request) {
    const auto id = request.player;
    if (giver_.is_draining() || stopping_) throw Error{Code::unavailable, "{} takes no players", bus_.address()};
    host_.require_room(id);
    const auto older = arriving_.find(id);
    if (older != arriving_.end()) {
        // One at a time: each ends before the next one waits for a turn that the first one keeps.
        if (!older->second.has_turn) throw Error{Code::conflict, "player {} is being taken over just now", id};
        end_arrival(older->second.from, {id, true, true});
    }
    auto& player = players_.find_or_create(id);
    auto& arrival = arriving_[id];
    arrival.from = from;
    arrival.since = bus_.loop().now();
    std::optional<storage::Ownership> expected;  // one who was never owned has no last write
    if (request.last.epoch != OwnerEpoch{}) expected = request.last;
    co_await player.mailbox().turn();
    bool has_opened = false;
    Error failure{Code::ok, ""};
    try {
        const bool was_here = co_await host_.own(player, true, expected);
        if (was_here) throw Error{Code::fenced, "{} owns player {} already", bus_.address(), id};
        has_opened = true;
        came_back(id);  // not before: an order that comes too late ends nothing
        host_.run_enter_hooks(player);
        co_await host_.settle(player);
        if (arrival.lost) player.stream().tear();
        push_early(player);
        if (arrival.unwanted) throw Error{Code::unavailable, "player {} stayed after all", id};
    } catch (const Error& error) {
        failure = error;
    } catch (const std::exception& error) {
        failure = Error{Code::internal, "an enter hook failed for player {}: {}", id, error.what()};
    }
    if (failure.code() != Code::ok) {
        if (has_opened && !player.is_online()) player.set_loaded(false);
        const auto waiting = std::move(arrival.pushes);
        arriving_.erase(id);
        if (player.is_loaded()) {
            for (const auto& push : waiting) push_here(player, bus_.address(), push);
        } else {
            return_early(player, waiting);
            if (has_lost_early(id)) bus_.send(from, session::HandedOver{id, false, true});
        }
        player.is_loaded() ? player.mailbox().done() : host_.drop(player);
        throw Error{failure};
    }
    // The time in which a client may come back counts from when it should have come.
    const auto comes = request.online ? enter_patience : runtime::Duration{};
    if (!player.is_online()) player.disconnect(bus_.loop().now() + comes);
    log::debug("player {} was taken over from {}", id, from);
    host_.report_soon();
    if (arrival.over) {
        arriving_.erase(id);
        player.mailbox().done();
    } else {
        arrival.has_turn = true;
        arrival.since = bus_.loop().now();
    }
    co_return Done{};
}

void Taker::end_arrival(RoleAddress from, const session::HandedOver& note) {
    const auto place = arriving_.find(note.player);
    if (place == arriving_.end() && note.lost) tell_gap(note.player);
    if (place == arriving_.end() || place->second.from != from || place->second.over) return;
    auto& arrival = place->second;
    auto& player = *players_.find(note.player);
    arrival.over = true;
    arrival.unwanted = !note.done;
    arrival.lost = note.lost;
    if (note.lost && arrival.has_turn) player.stream().tear();  // else take() does, when it is read
    for (const auto& push : std::exchange(arrival.pushes, {})) push_here(player, bus_.address(), push);
    if (!arrival.has_turn) return;  // take() sees to the rest
    arriving_.erase(place);
    if (!note.done && !player.is_online()) player.set_loaded(false);  // the other game goes on with the player
    player.is_loaded() ? player.mailbox().done() : host_.drop(player);
}

void Taker::tell_gap(PlayerId id) {
    auto* player = players_.find(id);
    if (player == nullptr || !player->is_loaded()) return;
    player->stream().tear();
    if (player->is_online()) host_.cut_off(id, player->gateway(), player->connection(), "too much was sent at once");
}

void Taker::return_early(Player& player, const std::vector<Binary>& later) {
    auto& early = early_[player.id()];
    early.pushes.insert(early.pushes.end(), later.begin(), later.end());
    if (player.is_online()) return;  // a client that enters is next: it gets them
    early.is_returned = true;
    for (const auto& push : std::exchange(early.pushes, {})) return_to_center(player.id(), push, 1);
}

void Taker::end_stale_arrivals(runtime::Duration patience) {
    std::map<PlayerId, RoleAddress> stale;
    for (const auto& [player, arrival] : arriving_) {
        if (bus_.loop().now() - arrival.since >= patience) stale.emplace(player, arrival.from);
    }
    for (const auto& [player, from] : stale) end_arrival(from, {player, true, true});
}

/// What it has forwarded has come, or never will; nobody knows which.
void Taker::lose_game(RoleAddress game) {
    std::vector<PlayerId> left;
    for (const auto& [player, arrival] : arriving_) {
        if (arrival.from == game) left.push_back(player);
    }
    for (const auto player : left) end_arrival(game, {player, true, true});
}

void Taker::push_here(Player& player, RoleAddress from, BytesView message) {
    const auto arriving = arriving_.find(player.id());
    if (arriving != arriving_.end() && !arriving->second.over && arriving->second.from != from) {
        auto& waiting = arriving->second.pushes;
        waiting.push_back(copy_of(message));
        // Better out of order than without a bound.
        if (waiting.size() > session::Stream::messages_max) {
            end_arrival(arriving->second.from, {player.id(), true, true});
        }
        return;
    }
    if (!player.is_loaded()) {
        auto& early = early_[player.id()];
        if (early.is_returned && !player.is_online()) return return_to_center(player.id(), message, 1);
        early.lost = early.lost || early.pushes.size() >= session::Stream::messages_max;
        if (!early.lost) early.pushes.push_back(copy_of(message));
        return;
    }
    if (planted(PlantedBug::push_to_nobody) && !player.is_online()) return;
    host_.push(player, message);
}

void Taker::push_early(Player& player) {
    const auto early = early_.find(player.id());
    if (early == early_.end()) return;
    const auto waiting = std::move(early->second);
    early_.erase(early);
    if (waiting.lost) player.stream().tear();
    for (const auto& push : waiting.pushes) host_.push(player, push);
}

bool Taker::has_lost_early(PlayerId player) const {
    const auto early = early_.find(player);
    return early != early_.end() && early->second.lost;
}

void Taker::return_to_center(PlayerId id, BytesView message, std::uint64_t returns) {
    if (const auto center = session::center_of(bus_, id))
        bus_.send_raw(*center, session::relay_to_player, static_cast<std::uint64_t>(id), returns, message);
}

}  // namespace gs::game
