#include "roles/game/giver.hpp"

#include <algorithm>

namespace gs::game {

namespace {
constexpr auto round_period = std::chrono::milliseconds{100};
constexpr std::size_t at_once_max = 16;  // so that no client is held for long
constexpr auto hold_deadline = std::chrono::seconds{2};
constexpr auto turn_patience = std::chrono::seconds{2};  // of a client that is held
constexpr auto take_over_deadline = std::chrono::seconds{5};
constexpr auto refuser_pause = std::chrono::seconds{1};
constexpr auto stay_pause = std::chrono::seconds{1};     // of a player whom storage or another game did not let go
constexpr auto forward_time = std::chrono::seconds{60};  // what was on its way when the player went
constexpr auto tell_again = std::chrono::seconds{1};
constexpr auto tick = std::chrono::milliseconds{500};
// Of a push to the center, when games and center disagree about who has the player; then it is nobody.
constexpr std::uint64_t returns_max = 3;

Binary copy_of(BytesView bytes) { return {bytes.begin(), bytes.end()}; }
}  // namespace

Giver::Giver(cluster::RoleBus bus, Players& players, Metrics& metrics, HandOverHost& host)
    : bus_{bus},
      players_{players},
      host_{host},
      handed_over_{metrics.counter("gameserver_handed_over_total", "players given to another game role")},
      gone_{metrics.counter("gameserver_game_gone_total", "messages for players or connections that are gone")},
      timers_{bus.loop()} {
    bus_.on<session::Drain>([this](const cluster::Envelope&, const session::Drain& request) { return drain(request); });
}

void Giver::start() {
    timers_.every("round", round_period, [this] { begin_round(); });
    timers_.every("tick", tick, [this] { end_forwards(); });
}

void Giver::stop() {
    stopping_ = true;
    timers_.cancel_all();
}

bool Giver::has_given(PlayerId player) const {
    const auto forward = forwards_.find(player);
    return forward != forwards_.end() && forward->second.accepted;
}

bool Giver::is_known_to_be_given(PlayerId player) const {
    const auto forward = forwards_.find(player);
    return forward != forwards_.end() && forward->second.told;
}

void Giver::pass_on(const session::LeaveGame& note) {
    const auto forward = forwards_.find(note.player);
    if (forward == forwards_.end()) return;
    if (forward->second.accepted) {
        bus_.send(forward->second.to, note);
    } else {
        forward->second.left = note;
    }
}

session::Draining Giver::drain(const session::Drain& request) {
    if (!request.only_ask && request.on != draining_) {
        if (request.on && is_alone()) {
            throw Error{Code::unavailable, "no other game server is ready to take the players; nothing is drained"};
        }
        draining_ = request.on;
        log::info("{}; {} players are here",
                  draining_ ? "is drained: players go to other game servers" : "takes players again", players_.size());
        host_.report();
    }
    return {draining_, players_.size(), handed_over_.value()};
}

bool Giver::is_alone() const {
    const auto games = bus_.ready(Role::game);
    return std::none_of(games.begin(), games.end(), [&](const cluster::Instance& game) { return may_take(game); });
}

/// Another game, of the same group.
bool Giver::may_take(const cluster::Instance& game) const {
    const auto* own = bus_.bus().find(bus_.address());
    return game.address != bus_.address() && own != nullptr && game.state.group == own->state.group;
}

/// Those who stay for now are tried again in a later one.
void Giver::begin_round() {
    if (!draining_ || !to_give_.empty() || !giving_.empty() || !choose_heir()) return;
    const auto now = bus_.loop().now();
    std::erase_if(stay_until_, [&](const auto& entry) { return entry.second <= now; });
    for (const auto id : players_.ids()) {
        if (!stay_until_.contains(id) && !busy_.contains(id)) to_give_.push_back(id);
    }
    give_more();
}

void Giver::give_more() {
    if (!draining_ || stopping_) to_give_.clear();
    while (giving_.size() < at_once_max && !to_give_.empty()) {
        const auto id = to_give_.front();
        to_give_.pop_front();
        giving_.insert(id);
        tasks_.spawn(give(id), "hand over");
    }
}

/// The one with the fewest players, but none that has refused one a moment ago.
std::optional<RoleAddress> Giver::choose_heir() {
    std::optional<RoleAddress> best;
    std::uint64_t least = 0;
    for (const auto& game : bus_.ready(Role::game)) {
        if (!may_take(game)) continue;
        auto& heir = heirs_[game.address];
        if (bus_.loop().now() < heir.ask_again) continue;
        if (std::exchange(heir.load, game.state.load) != game.state.load) heir.given = 0;
        const auto load = std::uint64_t{heir.load} + heir.given;
        if (best && load >= least) continue;
        best = game.address;
        least = load;
    }
    return best;
}

Task<> Giver::give(PlayerId id) {
    auto* player = players_.find(id);
    if (player != nullptr && player->mailbox().busy()) {
        // A handler may run for long: no client is held for that, and no other player has to wait.
        giving_.erase(id);
        busy_.insert(id);
        bus_.loop().post([this] { give_more(); });
        co_await player->mailbox().turn();
        player->is_loaded() ? player->mailbox().done() : host_.drop(*player);
        busy_.erase(id);
        if (giving_.size() >= at_once_max) {  // whoever of them ends goes on with this one
            to_give_.push_front(id);
            co_return;
        }
        giving_.insert(id);
    }
    try {
        co_await hold_and_give(id);
    } catch (const std::exception& error) {
        log::error("player {} cannot be handed over: {}", id, error.what());
        stay_until_[id] = bus_.loop().now() + stay_pause;
    }
    giving_.erase(id);
    bus_.loop().post([this] { give_more(); });  // not inside of this one: there may be very many
}

/// Lets a client go that is held in vain: the turn of its player is not free soon.
class Giver::Patience {
public:
    Patience(runtime::Loop& loop, runtime::Job let_go) : loop_{loop}, let_go_{std::move(let_go)} {
        timer_ = loop_.after(turn_patience, [this] {
            is_over_ = true;
            let_go_();
        });
    }
    Patience(const Patience&) = delete;
    Patience& operator=(const Patience&) = delete;
    ~Patience() { loop_.cancel(timer_); }

    /// The turn is there; true when that was in time.
    [[nodiscard]] bool end() {
        loop_.cancel(timer_);
        return !is_over_;
    }

private:
    runtime::Loop& loop_;
    runtime::Job let_go_;
    runtime::TimerId timer_{};
    bool is_over_ = false;
};

Task<> Giver::hold_and_give(PlayerId id) {
    if (!draining_ || stopping_) co_return;
    auto* player = players_.find(id);
    const bool can_go = player != nullptr && player->is_loaded() && player->is_online() == player->is_attached();
    const auto heir = can_go ? choose_heir() : std::nullopt;
    if (!heir) co_return;
    ++heirs_[*heir].given;
    const auto connection = player->connection();
    bool is_held = !player->is_online();
    if (!is_held) {
        session::HoldClient hold;
        hold.player = id;
        hold.epoch = connection;
        auto held = co_await bus_.call(player->gateway(), hold, hold_deadline);
        // Without a client (its end is on its way to here) there is nothing to hold, and it goes in the next round.
        is_held = held.has_value();
        player = players_.find(id);
        if (player == nullptr) co_return;
    }
    const auto gateway = player->gateway();
    Patience patience{bus_.loop(), [this, gateway, id, connection] {
                          bus_.send(gateway, session::ReleaseClient{id, connection});
                      }};
    co_await player->mailbox().turn();
    const bool in_time = patience.end();
    if (!player->is_loaded()) {
        host_.drop(*player);
    } else if (!is_held || !in_time || player->connection() != connection || player->is_leaving() || stopping_) {
        stay(*player, connection);
    } else {
        co_await give_held(*player, connection, *heir);
    }
}

Task<> Giver::give_held(Player& player, ConnectionEpoch connection, RoleAddress heir) {
    const auto id = player.id();
    player.set_moving(true);
    host_.run_leave_hooks(player);
    // From here on what others push waits for the answer; what came before is in the write.
    auto& forward = forwards_[id] = {heir, next_forward_++};
    const auto last = co_await host_.save_last(player, true);
    auto saved = last;
    if (saved == Saved::yes && player.connection() == connection && !player.is_leaving() && !stopping_) {
        session::TakeOver request;
        request.player = id;
        request.online = player.is_online();
        request.last = player.last_write();
        auto taken = co_await bus_.call(heir, request, take_over_deadline);
        if (taken) {
            accepted(forward, id);
            co_await end_giving(player, connection, heir);
            co_return;
        }
        log::info("player {} stays for now: {}", id, taken.error().message());
        const auto why = taken.error().code();
        if (why == Code::unavailable || why == Code::busy || why == Code::deadline) {
            if (const auto refuser = heirs_.find(heir); refuser != heirs_.end()) {
                refuser->second.ask_again = bus_.loop().now() + refuser_pause;
            }
        }
        bus_.send(heir, session::HandedOver{id, false});
    }
    if (saved == Saved::yes) {
        // The one write that decides: an heir that comes after it comes too late for ever, and if it came before, storage
        // refuses this. Also, what is stored of the stream is not the whole of it any more.
        const auto checked = co_await host_.save(player, true);
        saved = checked;
    }
    if (saved == Saved::fenced) {
        // The heir, most likely; when it is another one, it finds out who by the center.
        accepted(forward, id);
        forwards_.erase(id);
        host_.drop_fenced(player);
        co_return;
    }
    player.set_moving(stopping_);
    stay_until_[id] = bus_.loop().now() + stay_pause;
    take_back(player, connection);
    try {
        host_.run_enter_hooks(player);
    } catch (const std::exception& error) {
        log::error("an enter hook failed for player {}: {}", id, error.what());
    }
    const auto settled = co_await host_.save_confirmed(player);
    if (settled == Saved::fenced) {
        host_.drop_fenced(player);
        co_return;
    }
    stay(player, connection);
}

void Giver::take_back(Player& player, ConnectionEpoch connection) {
    const auto forward = forwards_.extract(player.id());
    if (forward.empty()) return;
    for (const auto& push : forward.mapped().pushes) host_.push(player, push);
    if (!forward.mapped().lost) return;
    player.stream().tear();
    if (player.is_online() && player.connection() == connection)  // else the next one is told of the gap
        host_.cut_off(player.id(), player.gateway(), connection, "too much was sent at once");
}

void Giver::stay(Player& player, ConnectionEpoch connection) {
    bus_.send(player.gateway(), session::ReleaseClient{player.id(), connection});
    player.mailbox().done();
}

void Giver::accepted(Forward& forward, PlayerId player) {
    forward.accepted = true;
    for (const auto& push : std::exchange(forward.pushes, {})) {
        if (!bus_.send_raw(forward.to, session::relay_to_player, static_cast<std::uint64_t>(player), 0, push))
            forward.lost = true;
    }
}

Task<> Giver::end_giving(Player& player, ConnectionEpoch connection, RoleAddress heir) {
    const auto id = player.id();
    player.set_loaded(false);
    player.set_moving(false);
    session::MovePlayer move;
    move.player = id;
    move.epoch = connection;
    move.game = heir;
    auto moved = co_await move_at_center(move);
    const auto forward = forwards_.find(id);  // gone when the heir was lost
    if (!moved && moved.error().code() == Code::fenced) {
        // This game was lost for the center meanwhile: whoever opened the player after that one is the owner.
        if (forward != forwards_.end()) forwards_.erase(forward);
        bus_.send(heir, session::HandedOver{id, false});
        host_.drop_fenced(player);
        co_return;
    }
    log::debug("player {} was handed over to {}", id, heir);
    handed_over_.add();
    if (forward != forwards_.end()) {
        auto& open = forward->second;
        bus_.send(heir, session::HandedOver{id, true, open.lost});
        if (open.left) bus_.send(heir, *open.left);
        if (moved) {
            told(id);
        } else {
            tasks_.spawn(tell_center(move, open.number), "tell the center who moved");
        }
    }
    if (player.connection() == connection && player.is_online()) {
        bus_.send(player.gateway(), session::SwitchClient{id, connection, heir, player.stream().next() - 1});
        player.disconnect(bus_.loop().now());
    }
    host_.drop(player);
}

Task<Result<Done>> Giver::move_at_center(session::MovePlayer request) {
    const auto center = session::center_of(bus_, request.player);
    if (!center) co_return Result<Done>{center.error()};
    co_return co_await bus_.call(*center, request);
}

void Giver::told(PlayerId player) {
    const auto forward = forwards_.find(player);
    forward->second.told = true;
    forward->second.until = bus_.loop().now() + forward_time;
    if (bus_.bus().find(forward->second.to) == nullptr) forwards_.erase(forward);  // lost meanwhile
}

/// Until it knows, it sends here what is for the player, and that is forwarded. It must know also when this game has lost
/// sight of the heir, who may play on. One task for each player at most: it ends when the player comes back, too.
Task<> Giver::tell_center(session::MovePlayer request, std::uint64_t number) {
    for (;;) {
        co_await sleep(bus_.loop(), tell_again);
        const auto before = forwards_.find(request.player);
        if (before == forwards_.end() || before->second.number != number) co_return;
        auto moved = co_await move_at_center(request);
        if (!moved && moved.error().code() != Code::fenced) continue;
        const auto forward = forwards_.find(request.player);
        if (forward == forwards_.end() || forward->second.number != number) co_return;
        told(request.player);
        co_return;
    }
}

void Giver::end_forwards() {
    const auto now = bus_.loop().now();
    std::erase_if(forwards_, [&](const auto& entry) { return entry.second.told && entry.second.until < now; });
}

void Giver::lose_game(RoleAddress game) {
    // Those that are not accepted are seen to where the answer is waited for; of the others the center must be told.
    std::erase_if(forwards_, [&](const auto& entry) { return entry.second.to == game && entry.second.told; });
    heirs_.erase(game);
}

bool Giver::forward(PlayerId id, BytesView message, std::uint64_t returns) {
    const auto place = forwards_.find(id);
    if (place == forwards_.end() || planted(PlantedBug::queue_after_freeze)) return false;
    auto& forward = place->second;
    if (forward.accepted && returns >= returns_max) {
        gone_.add();
    } else if (forward.accepted) {
        if (!bus_.send_raw(forward.to, session::relay_to_player, static_cast<std::uint64_t>(id), returns, message))
            forward.lost = true;
    } else if (forward.pushes.size() < session::Stream::messages_max) {
        forward.pushes.push_back(copy_of(message));
    } else {
        forward.lost = true;
    }
    return true;
}

}  // namespace gs::game
