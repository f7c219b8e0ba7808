// A game that is drained gives its players to the others while their clients play on; the steps are in
// session/messages.hpp. At every moment storage knows the owner: whoever opened the player last.
#include "roles/game/game.hpp"

namespace gs::game {

namespace {
constexpr std::size_t at_once_max = 16;  // so that no client is held for long
constexpr auto hold_deadline = std::chrono::seconds{2};
constexpr auto take_over_deadline = std::chrono::seconds{5};
constexpr auto forward_time = std::chrono::seconds{60};  // what was on its way when the player went
constexpr auto enter_patience = std::chrono::seconds{15};
constexpr auto tell_again = std::chrono::seconds{1};
}  // namespace

// --- the game that gives ---------------------------------------------------------------------------------------------

session::Draining Game::drain(const session::Drain& request) {
    if (!request.only_ask && request.on != draining_) {
        if (request.on && !choose_heir()) {
            throw Error{Code::unavailable, "no other game server is ready to take the players; nothing is drained"};
        }
        draining_ = request.on;
        log::info("{}; {} players are here",
                  draining_ ? "is drained: players go to other game servers" : "takes players again", players_.size());
        report();
    }
    return {draining_, players_.size(), handed_over_.value()};
}

/// Those who stay for now are tried again with the next tick.
void Game::drain_more() {
    if (!draining_ || !to_hand_over_.empty() || !handing_over_.empty() || !choose_heir()) return;
    const auto ids = players_.ids();
    to_hand_over_.assign(ids.begin(), ids.end());
    hand_over_more();
}

void Game::hand_over_more() {
    if (!draining_ || stopping_) to_hand_over_.clear();
    while (handing_over_.size() < at_once_max && !to_hand_over_.empty()) {
        const auto id = to_hand_over_.front();
        to_hand_over_.pop_front();
        handing_over_.insert(id);
        tasks_.spawn(hand_over(id), "hand over");
    }
}

std::optional<RoleAddress> Game::choose_heir() {
    std::optional<RoleAddress> best;
    std::uint64_t least = 0;
    for (const auto& game : bus_.ready(Role::game)) {
        if (game.address == bus_.address()) continue;
        const auto given = given_.find(game.address);
        const auto load = std::uint64_t{game.state.load} + (given == given_.end() ? 0 : given->second);
        if (best && load >= least) continue;
        best = game.address;
        least = load;
    }
    return best;
}

Task<> Game::hand_over(PlayerId id) {
    const auto heir = choose_heir();
    auto* player = players_.find(id);
    const bool can_go =
        heir && player != nullptr && player->is_loaded() && player->is_online() == player->is_attached();
    if (can_go) {
        ++given_[*heir];
        const auto connection = player->connection();
        bool is_held = !player->is_online();
        if (!is_held) {
            session::HoldClient hold;
            hold.player = id;
            hold.epoch = connection;
            auto held = co_await bus_.call(player->gateway(), hold, hold_deadline);
            // Without a client (its end is on its way to here) there is nothing to hold, and it goes in the next round.
            is_held = held.has_value();
        }
        player = players_.find(id);
        if (player != nullptr) {
            co_await player->mailbox().turn();
            if (!player->is_loaded()) {
                drop(*player);
            } else if (!is_held || player->connection() != connection || stopping_) {
                stay(*player, connection);
            } else {
                co_await hand_over_held(*player, connection, *heir);
            }
        }
    }
    handing_over_.erase(id);
    loop_.post([this] { hand_over_more(); });  // not inside of this one: there may be very many
}

Task<> Game::hand_over_held(Player& player, ConnectionEpoch connection, RoleAddress heir) {
    const auto id = player.id();
    player.set_moving(true);
    run_leave_hooks(player);
    const auto last = co_await save_last(player);
    auto saved = last;
    // From here to the call there is no wait: what others push is in the write, or is forwarded.
    if (saved == Saved::yes && player.connection() == connection && !stopping_) {
        forwards_[id] = {heir, loop_.now() + forward_time};
        session::TakeOver request;
        request.player = id;
        request.online = player.is_online();
        auto taken = co_await bus_.call(heir, request, take_over_deadline);
        if (taken) {
            co_await end_hand_over(player, connection, heir);
            co_return;
        }
        log::info("player {} stays for now: {}", id, taken.error().message());
        forwards_.erase(id);
        bus_.send(heir, session::HandedOver{id, false});
    }
    if (saved == Saved::yes) {
        // The player may have been taken over for all that: storage knows. Also, what is stored of the stream is not the
        // whole of it any more.
        const auto checked = co_await save(player, true);
        saved = checked;
    }
    if (saved == Saved::fenced) {
        drop_fenced(player);
        co_return;
    }
    player.set_moving(stopping_);
    try {
        run_enter_hooks(player);
    } catch (const std::exception& error) {
        log::error("an enter hook failed for player {}: {}", id, error.what());
    }
    stay(player, connection);
}

void Game::stay(Player& player, ConnectionEpoch connection) {
    bus_.send(player.gateway(), session::ReleaseClient{player.id(), connection});
    player.mailbox().done();
}

Task<> Game::end_hand_over(Player& player, ConnectionEpoch connection, RoleAddress heir) {
    const auto id = player.id();
    player.set_loaded(false);
    player.set_moving(false);
    session::MovePlayer move;
    move.player = id;
    move.epoch = connection;
    move.game = heir;
    auto moved = co_await move_at_center(move);
    if (!moved && moved.error().code() == Code::fenced) {
        // This game was lost for the center meanwhile: whoever opened the player after that one is the owner.
        forwards_.erase(id);
        bus_.send(heir, session::HandedOver{id, false});
        drop_fenced(player);
        co_return;
    }
    log::debug("player {} was handed over to {}", id, heir);
    if (!moved) tasks_.spawn(tell_center(move), "tell the center who moved");
    handed_over_.add();
    bus_.send(heir, session::HandedOver{id, true});
    if (player.connection() == connection && player.is_online()) {
        bus_.send(player.gateway(), session::SwitchClient{id, connection, heir, player.stream().next() - 1});
        player.disconnect(loop_.now());
    }
    drop(player);
}

Task<Result<Done>> Game::move_at_center(session::MovePlayer request) {
    const auto center = session::center_of(bus_, request.player);
    if (!center) co_return Result<Done>{center.error()};
    co_return co_await bus_.call(*center, request);
}

/// Until it knows, it sends here what is for the player, and that is forwarded.
Task<> Game::tell_center(session::MovePlayer request) {
    while (forwards_.contains(request.player)) {
        co_await sleep(loop_, tell_again);
        auto moved = co_await move_at_center(request);
        if (moved || moved.error().code() == Code::fenced) co_return;
    }
}

// --- the game that takes ---------------------------------------------------------------------------------------------

Task<Done> Game::take_over(RoleAddress from, session::TakeOver request) {
    if (!ready_ || draining_ || stopping_) throw Error{Code::unavailable, "{} takes no players", bus_.address()};
    if (is_full_for(request.player)) throw Error{Code::busy, "{} is full", bus_.address()};
    auto& player = players_.find_or_create(request.player);
    if (const auto older = arriving_.find(request.player); older != arriving_.end())
        on_handed_over(older->second.from, {request.player, true});
    arriving_[request.player] = {from, loop_.now(), {}, false};
    co_await player.mailbox().turn();
    forwards_.erase(request.player);
    Error failure{Code::ok, ""};
    try {
        const bool was_here = co_await own(player, true);
        if (!was_here) run_enter_hooks(player);
        co_await settle(player);
        push_early(player);
    } catch (const Error& error) {
        failure = error;
    } catch (const std::exception& error) {
        failure = Error{Code::internal, "an enter hook failed for player {}: {}", request.player, error.what()};
    }
    if (failure.code() != Code::ok) {
        arriving_.erase(request.player);
        player.is_loaded() ? player.mailbox().done() : drop(player);
        throw Error{failure};
    }
    // The time in which a client may come back counts from when it should have come.
    if (!player.is_online()) player.disconnect(loop_.now() + (request.online ? enter_patience : runtime::Duration{}));
    log::debug("player {} was taken over from {}", request.player, from);
    const auto arrival = arriving_.find(request.player);
    arrival != arriving_.end() ? void(arrival->second.holds_turn = true) : player.mailbox().done();
    report();
    co_return Done{};
}

void Game::on_handed_over(RoleAddress from, const session::HandedOver& note) {
    const auto arriving = arriving_.find(note.player);
    if (arriving == arriving_.end() || arriving->second.from != from) return;
    const auto arrival = std::move(arriving->second);
    arriving_.erase(arriving);
    if (auto* player = players_.find(note.player)) {
        for (const auto& push : arrival.pushes) push_here(*player, bus_.address(), push);
        if (arrival.holds_turn) player->mailbox().done();
    }
    if (!note.done) tasks_.spawn(forget_copy(note.player), "forget a copy");
}

/// The other game goes on with the player.
Task<> Game::forget_copy(PlayerId id) {
    auto* player = players_.find(id);
    if (player == nullptr) co_return;
    co_await player->mailbox().turn();
    if (!player->is_online()) player->set_loaded(false);
    player->is_loaded() ? player->mailbox().done() : drop(*player);
}

/// What it has forwarded has come, or never will.
void Game::lose_game(RoleAddress game) {
    std::vector<PlayerId> left;
    for (const auto& [player, arrival] : arriving_) {
        if (arrival.from == game) left.push_back(player);
    }
    for (const auto player : left) on_handed_over(game, {player, true});
    std::erase_if(forwards_, [&](const auto& forward) { return forward.second.to == game; });
}

void Game::end_stale_arrivals(runtime::Duration patience) {
    std::map<PlayerId, RoleAddress> stale;
    for (const auto& [player, arrival] : arriving_) {
        if (loop_.now() - arrival.since >= patience) stale.emplace(player, arrival.from);
    }
    for (const auto& [player, from] : stale) on_handed_over(from, {player, true});
}

// --- pushes ----------------------------------------------------------------------------------------------------------

void Game::deliver(const cluster::Envelope& envelope) {
    const PlayerId id{envelope.subject};
    const auto forward = forwards_.find(id);
    auto* player = players_.find(id);
    std::optional<RoleAddress> to;
    if (forward != forwards_.end()) {
        to = forward->second.to;
    } else if (player == nullptr && envelope.from.role == Role::game) {
        // Forwarded to here, and not taken over after all: the center knows where the player is.
        if (const auto center = session::center_of(bus_, id)) to = *center;
    }
    if (to) {
        bus_.send_raw(*to, session::relay_to_player, envelope.subject, 0, envelope.body);
    } else if (player != nullptr) {
        push_here(*player, envelope.from, envelope.body);
    } else {
        gone_.add();
    }
}

void Game::push_here(Player& player, RoleAddress from, BytesView message) {
    const auto arriving = arriving_.find(player.id());
    if (arriving != arriving_.end() && arriving->second.from != from) {
        auto& waiting = arriving->second.pushes;
        waiting.emplace_back(message.begin(), message.end());
        // Better out of order than without a bound.
        if (waiting.size() > session::Stream::messages_max) on_handed_over(arriving->second.from, {player.id(), true});
        return;
    }
    if (!player.is_loaded()) {
        auto& early = early_[player.id()];
        early.lost = early.lost || early.pushes.size() >= session::Stream::messages_max;
        if (!early.lost) early.pushes.emplace_back(message.begin(), message.end());
        return;
    }
    if (planted(PlantedBug::push_to_nobody) && !player.is_online()) return;
    number_push(player, message);
}

void Game::number_push(Player& player, BytesView message) {
    const auto push = wire::parse_message(message);
    if (!push.header.state) {
        send_frame(player, player.stream().add(push.header, push.body));
    } else if (player.is_attached()) {
        Buffer frame;
        const auto begin = wire::begin_frame(frame);
        frame.append(message);
        wire::finish_frame(frame, begin);
        send_frame(player, frame);
    }
}

void Game::push_early(Player& player) {
    const auto early = early_.find(player.id());
    if (early == early_.end()) return;
    const auto waiting = std::move(early->second);
    early_.erase(early);
    if (waiting.lost) player.stream().tear();
    for (const auto& push : waiting.pushes) number_push(player, push);
}

}  // namespace gs::game
