#include "roles/game/game.hpp"

#include <algorithm>

namespace gs::game {

namespace {
constexpr auto tick = std::chrono::milliseconds{500};
constexpr std::size_t replies_bytes_max = 64 * 1024;  // more do not wait for each other
}  // namespace

GameSettings::GameSettings(Settings settings)
    : save_period{settings.integer(
          "save_period_seconds", 60, {1, 3600}, "seconds",
          "how often changed components with the periodic policy are saved, spread over players")},
      slow_handler{settings.integer("slow_handler_ms", 50, {1, 60'000}, "milliseconds",
                                    "a handler that keeps the loop longer is named in a warning")},
      players_max{
          settings.integer("players_max", 20'000, {1, 10'000'000}, "players", "more are refused by this game role")},
      log_calls{
          settings.flag("log_calls", false, "one log line for each client request: command, player, time taken")} {}

Game::Game(RoleContext& context)
    : loop_{context.loop},
      bus_{context.bus},
      metrics_{context.metrics},
      settings_tree_{context.settings},
      settings_{context.settings.section("game")},
      persistence_{context.bus, context.metrics},
      channels_{context.bus, players_},
      players_gauge_{metrics_.gauge("gameserver_game_players", "players in the game roles of this node")},
      gone_{metrics_.counter("gameserver_game_gone_total", "messages for players or connections that are gone")},
      refused_busy_{metrics_.counter("gameserver_game_busy_total", "requests refused: too many of that player wait")},
      failed_{metrics_.counter("gameserver_game_failed_total", "requests that ended with an error reply")},
      slow_{metrics_.counter("gameserver_slow_handlers_total",
                             "handlers that kept the loop longer than game.slow_handler_ms")},
      timers_{context.loop} {
    for (const auto* module : context.modules) {
        loading_module_ = module->name;
        contexts_.push_back(std::make_unique<ModuleContext>(*this, loading_module_));
        modules_.push_back(module->make(*contexts_.back()));
    }
    bus_.on_raw(session::relay_from_client, [this](const cluster::Envelope& envelope) { on_client(envelope); });
    bus_.on<session::EnterGame>([this](RoleAddress from, session::EnterGame request) { return enter(from, request); });
    bus_.on<session::LeaveGame>(
        [this](const cluster::Envelope&, const session::LeaveGame& note) { on_leave(note.player, note.epoch); });
    bus_.on<session::ListPlayers>([this](const cluster::Envelope&, const session::ListPlayers&) {
        session::HeldPlayers held;
        for (const auto id : players_.ids()) {
            held.players.push_back({id, players_.find(id)->connection(), bus_.address(), {}});
        }
        return held;
    });
    bus_.watch([this](const cluster::Instance& instance, bool up) {
        if (instance.address.role != Role::gateway || up) return;
        // One that is there and not ready has lost its center: its clients play on.
        if (bus_.bus().find(instance.address) != nullptr) return;
        for (const auto id : players_.ids()) {
            const auto* player = players_.find(id);
            if (player->is_online() && player->gateway() == instance.address) on_leave(id, player->connection());
        }
    });
}

void Game::add_command(std::unique_ptr<CommandHandler> handler) {
    const auto number = handler->command;
    if (commands_.size() <= number) commands_.resize(number + 1U);
    if (commands_[number] != nullptr) {
        throw Error{Code::conflict,
                    "command {} is claimed twice: {} of module {}, and {} of module {}; give one another number",
                    number,
                    commands_[number]->handler->name,
                    commands_[number]->module,
                    handler->name,
                    loading_module_};
    }
    auto& seconds =
        metrics_.histogram("gameserver_request_seconds", "from a client request's arrival at its handler to its reply",
                           {{"command", std::string{handler->name}}});
    commands_[number] = std::make_unique<BoundCommand>(BoundCommand{std::move(handler), &seconds, loading_module_});
}

Task<> Game::start() {
    co_await bus_.wait_for(Role::storage);
    co_await bus_.wait_for(Role::center);
    ready_ = true;
    report();
    timers_.every("save", tick, [this] { save_due(); });
    timers_.every("report", std::chrono::seconds{1}, [this] { report(); });
}

Task<> Game::stop() {
    stopping_ = true;
    ready_ = false;
    timers_.cancel_all();
    bus_.announce(false, 0, {});
    for (const auto id : players_.ids()) {
        auto* player = players_.find(id);
        if (player != nullptr) on_leave(id, player->connection());
    }
    while (players_.size() > 0) co_await sleep(loop_, std::chrono::milliseconds{5});
}

void Game::report() {
    players_gauge_.set(static_cast<std::int64_t>(players_.size()));
    bus_.announce(ready_, static_cast<std::uint32_t>(players_.size()), {});
}

// --- messages of clients ---------------------------------------------------------------------------------------------

void Game::on_client(const cluster::Envelope& envelope) {
    auto* player = players_.find(PlayerId{envelope.subject});
    if (player == nullptr || !player->is_online() || player->connection() != ConnectionEpoch{envelope.generation}) {
        gone_.add();
        // Nothing would ever answer that client: its gateway missed that the connection is over.
        const bool newer = player != nullptr && player->is_online();
        bus_.send(envelope.from,
                  session::Kick{PlayerId{envelope.subject}, ConnectionEpoch{envelope.generation}, Code::fenced,
                                newer ? "this account logged in somewhere else"
                                      : "the game server does not hold this player; connect again",
                                !newer});
        return;
    }
    const Sender sender{player->gateway(), player->connection()};
    replies_.gathering = true;
    for (auto frames = envelope.body; !frames.empty();) {
        const auto cut = wire::cut_frame(frames, frames.size());
        if (cut.status != wire::FrameCut::Status::frame) break;
        frames = frames.subspan(cut.consumed());
        on_message(*player, sender, cut.payload);
    }
    replies_.gathering = false;
    flush_replies();
}

void Game::on_message(Player& player, const Sender& sender, BytesView raw) {
    if (player.mailbox().try_begin()) {
        begin_message(player, sender, raw);
    } else if (player.mailbox().full()) {
        refused_busy_.add();
        const auto message = wire::parse_message(raw);
        send_error(player, sender, message.header,
                   {Code::busy, "{} requests of this player wait already", entity::Mailbox::waiting_max});
    } else {
        Buffer kept;
        kept.append(raw);
        player.mailbox().wait([this, &player, sender, kept = std::move(kept)] { begin_message(player, sender, kept); });
    }
}

void Game::begin_message(Player& player, const Sender& sender, BytesView raw) {
    const auto message = wire::parse_message(raw);
    Running running{message.header, sender, nullptr, begin_time()};
    const auto number = message.header.command;
    if (!player.is_loaded()) {  // lost to a newer owner while this waited; the last one that waited drops the player
        drop(player);
        return;
    }
    if (message.fault != nullptr || message.header.kind != wire::Kind::request) {
        player.mailbox().done();
        return;
    }
    if (number >= commands_.size() || commands_[number] == nullptr) {
        send_error(player, sender, message.header,
                   {Code::unknown_command, "no module of this server handles command {}", number});
        player.mailbox().done();
        return;
    }
    running.command = commands_[number].get();
    if (settings_.log_calls) {
        log::info("call {} of player {}: {}", running.command->handler->name, player.id(),
                  dump(running.command->handler->request_type, message.body, 200));
    }
    auto& turn = player.turn_in_progress().emplace(player);
    const runtime::ContextScope scope{&turn};
    run_plain(player, running, message.body);
}

void Game::run_plain(Player& player, const Running& running, BytesView body) {
    auto& handler = *running.command->handler;
    Buffer reply;
    try {
        if (handler.is_coroutine) {
            auto kept = std::make_unique<Buffer>();
            wire::write_header(*kept, {wire::Kind::reply, false, running.header.command, running.header.request_id});
            auto task = handler.start(player, body, *kept);
            tasks_.spawn(run_coroutine(player, running, std::move(task), std::move(kept)), handler.name.data());
            return;
        }
        // Taken for the length of this message: what it wakes may run another plain handler inside it.
        reply = std::exchange(reply_, Buffer{});
        reply.clear();
        wire::write_header(reply, {wire::Kind::reply, false, running.header.command, running.header.request_id});
        handler.run(player, body, reply);
    } catch (const Error& error) {
        fail_message(player, running, error);
        return;
    } catch (const std::exception& error) {
        log::error("handler {} of module {} failed for player {}: {}", handler.name, running.command->module,
                   player.id(), error.what());
        fail_message(player, running, {Code::internal, "the server failed to handle {}", handler.name});
        return;
    }
    end_message(player, running, reply);
    reply_ = std::move(reply);
}

void Game::warn_if_slow(const Player& player, const Running& running, runtime::Duration took) {
    if (took <= settings_.slow_handler) return;
    slow_.add();
    log::warn("handler {} of module {} kept the loop for {} ms (player {})", running.command->handler->name,
              running.command->module, std::chrono::duration_cast<std::chrono::milliseconds>(took).count(),
              player.id());
}

Task<> Game::run_coroutine(Player& player, Running running, Task<> handler, std::unique_ptr<Buffer> reply) {
    Error failure{Code::ok, ""};
    try {
        co_await std::move(handler);
    } catch (const Error& error) {
        failure = error;
    } catch (const std::exception& error) {
        log::error("handler {} of module {} failed for player {}: {}", running.command->handler->name,
                   running.command->module, player.id(), error.what());
        failure = Error{Code::internal, "the server failed to handle {}", running.command->handler->name};
    }
    if (failure.code() != Code::ok) {
        fail_message(player, running, failure);
    } else {
        end_message(player, running, *reply);
    }
}

void Game::end_message(Player& player, const Running& running, Buffer& reply) {
    auto& turn = *player.turn_in_progress();
    if (turn.needs_commit()) {
        if (!running.command->handler->is_coroutine) warn_if_slow(player, running, loop_.now() - running.began);
        auto held = std::make_unique<Buffer>();
        held->append(reply);
        tasks_.spawn(commit_message(player, running, std::move(held)), "commit");
        return;
    }
    turn.keep(false);
    send_reply(player, running.sender, reply);
    const auto took = finish_turn(player, running);
    if (!running.command->handler->is_coroutine) warn_if_slow(player, running, took);
}

Task<> Game::commit_message(Player& player, Running running, std::unique_ptr<Buffer> reply) {
    auto& turn = *player.turn_in_progress();
    if (planted(PlantedBug::early_reply)) send_reply(player, running.sender, *reply);
    auto outcome = co_await persistence_.commit(turn.commit());
    if (!outcome) {
        fail_message(player, running, outcome.error());
        co_return;
    }
    switch (*outcome) {
        case storage::Outcome::ok:
        case storage::Outcome::dup:
            break;
        case storage::Outcome::conflict:
            fail_message(player, running, {Code::conflict, "it was taken by another player a moment ago"});
            co_return;
        case storage::Outcome::fenced:
            drop_fenced(player);
            co_return;
    }
    turn.keep(true);
    if (!planted(PlantedBug::early_reply)) send_reply(player, running.sender, *reply);
    finish_turn(player, running);
}

void Game::fail_message(Player& player, const Running& running, const Error& error) {
    failed_.add();
    planted(PlantedBug::forgotten_undo) ? player.turn_in_progress()->keep(false) : player.turn_in_progress()->undo();
    send_error(player, running.sender, running.header, error);
    finish_turn(player, running);
}

runtime::Time Game::begin_time() const {
    // In the same delivery (requests that came together) or in the next one: nothing ran between.
    const bool follows = ended_turn_ == loop_.turns() && bus_.bus().delivery() - ended_delivery_ <= 1;
    return follows ? ended_ : loop_.now();
}

runtime::Duration Game::finish_turn(Player& player, const Running& running) {
    ended_ = loop_.now();
    ended_turn_ = loop_.turns();
    ended_delivery_ = bus_.bus().delivery();
    const auto took = ended_ - running.began;
    running.command->seconds->observe(took);
    if (settings_.log_calls) {
        log::info("done {} of player {} in {} us", running.command->handler->name, player.id(),
                  std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    }
    player.turn_in_progress().reset();
    player.mailbox().done();
    return took;
}

void Game::send_reply(const Player& player, const Sender& sender, BytesView reply) {
    if (replies_.player != player.id() || replies_.sender != sender) flush_replies();
    replies_.player = player.id();
    replies_.sender = sender;
    const auto begin = wire::begin_frame(replies_.frames);
    replies_.frames.append(reply);
    wire::finish_frame(replies_.frames, begin);
    if (!replies_.gathering || replies_.frames.size() > replies_bytes_max) flush_replies();
}

void Game::flush_replies() {
    if (replies_.frames.empty()) return;
    bus_.send_raw(replies_.sender.gateway, session::relay_to_client, static_cast<std::uint64_t>(replies_.player),
                  static_cast<std::uint64_t>(replies_.sender.connection), replies_.frames);
    replies_.frames.clear();
    if (replies_.frames.capacity() > 2 * replies_bytes_max) replies_.frames.release();
}

void Game::send_error(const Player& player, const Sender& sender, const wire::Header& header, const Error& error) {
    if (header.kind != wire::Kind::request) return;
    Buffer reply;
    wire::write_error(reply, header.command, header.request_id, error.code(), error.message());
    send_reply(player, sender, reply);
}

// --- players ---------------------------------------------------------------------------------------------------------

Task<Done> Game::enter(RoleAddress from, session::EnterGame request) {
    if (stopping_) throw Error{Code::unavailable, "this game server is stopping"};
    if (players_.find(request.player) == nullptr &&
        players_.size() >= static_cast<std::size_t>(settings_.players_max)) {
        throw Error{Code::busy, "this game server is full ({} players)", settings_.players_max};
    }
    auto& player = players_.find_or_create(request.player);
    if (player.connection() >= request.epoch)
        throw Error{Code::fenced, "a newer connection of player {} exists", request.player};
    // Taken at once: what an older connection still sends or ends is not this one's.
    player.connect(request.epoch, from);
    co_await player.mailbox().turn();
    if (player.connection() != request.epoch || !player.is_online()) {
        drop(player);
        throw Error{Code::fenced, "the connection ended or a newer one came while player {} was loaded",
                    request.player};
    }
    Error failure{Code::ok, ""};
    try {
        // Others see the player once what its enter hooks changed is durable.
        if (!player.is_loaded()) co_await load(player);
        for (const auto& hook : enter_hooks_) run_hook(player, hook);
        const bool owner = co_await save_confirmed(player);
        if (!owner) {
            player.set_loaded(false);
            throw Error{Code::fenced, "another game server took player {} over", player.id()};
        }
        player.set_loaded(true);
    } catch (const Error& error) {
        failure = error;
    } catch (const std::exception& error) {
        log::error("an enter hook failed for player {}: {}", player.id(), error.what());
        failure = Error{Code::internal, "the server failed to let player {} enter", player.id()};
    }
    if (failure.code() != Code::ok) {
        if (player.connection() == request.epoch) player.disconnect();
        drop(player);
        throw Error{failure};
    }
    player.mailbox().done();
    report();
    // The gateway may have died meanwhile; nobody else would say that this client is gone.
    if (bus_.bus().find(from) == nullptr) on_leave(request.player, request.epoch);
    co_return Done{};
}

Task<> Game::load(Player& player) {
    auto opened = co_await persistence_.open(player.key());
    player.load(std::move(opened).value(), components_).value();
}

void Game::run_hook(Player& player, const std::function<void(Player&)>& hook) {
    auto& turn = player.turn_in_progress().emplace(player);
    try {
        const runtime::ContextScope scope{&turn};
        hook(player);
    } catch (...) {
        turn.undo();
        player.turn_in_progress().reset();
        throw;
    }
    turn.keep(false);
    player.turn_in_progress().reset();
}

void Game::on_leave(PlayerId id, ConnectionEpoch epoch) {
    auto* player = players_.find(id);
    if (player == nullptr) {
        bus_.publish(Role::center, session::Unloaded{id, epoch});
        return;
    }
    if (player->connection() != epoch && !planted(PlantedBug::delete_by_player)) return;
    if (!player->is_online()) return;
    player->disconnect();
    tasks_.spawn(leave(*player), "leave");
}

Task<> Game::leave(Player& player) {
    co_await player.mailbox().turn();
    if (player.is_online() || !player.is_loaded()) {
        drop(player);
        co_return;
    }
    for (const auto& hook : leave_hooks_) {
        try {
            run_hook(player, hook);
        } catch (const std::exception& error) {
            // Whatever a module does here, the player is saved.
            log::error("a leave hook failed for player {}: {}", player.id(), error.what());
        }
    }
    const bool owner = co_await save(player);
    if (!owner) {
        drop_fenced(player);
        co_return;
    }
    drop(player);
}

/// Only when something waits that nobody may see before it is durable.
Task<bool> Game::save_confirmed(Player& player) {
    if (!player.unsaved_real_time()) co_return true;
    co_return co_await save(player);
}

Task<bool> Game::save(Player& player) {
    if (!player.unsaved()) co_return true;
    storage::Commit commit;
    commit.entities.push_back(player.next_write());
    auto outcome = co_await persistence_.commit(std::move(commit));
    if (!outcome) {
        log::error("player {} cannot be saved: {}", player.id(), outcome.error().message());
        co_return true;
    }
    if (*outcome == storage::Outcome::fenced) co_return false;
    player.write_done();
    co_return true;
}

Task<> Game::save_in_background(Player& player) {
    const bool owner = co_await save(player);
    if (!owner) {
        drop_fenced(player);
        co_return;
    }
    player.mailbox().done();
}

void Game::save_due() {
    const auto ticks = std::max<std::int64_t>(1, settings_.save_period / tick);
    ++save_tick_;
    for (const auto id : players_.ids()) {
        auto& player = *players_.find(id);
        const bool its_turn = static_cast<std::int64_t>((static_cast<std::uint64_t>(id) + save_tick_) %
                                                        static_cast<std::uint64_t>(ticks)) == 0;
        const bool due = its_turn || save_late_.contains(id);
        if (!(player.unsaved_real_time() || (due && player.unsaved()))) continue;
        // One whose turn is taken right now is due again at the next tick.
        if (!player.mailbox().try_begin()) {
            save_late_.insert(id);
            continue;
        }
        save_late_.erase(id);
        tasks_.spawn(save_in_background(player), "save");
    }
}

void Game::drop_fenced(Player& player) {
    log::warn("player {} has a newer owner: dropped here, nothing saved", player.id());
    bus_.send(player.gateway(), session::Kick{player.id(), player.connection(), Code::fenced,
                                              "another game server took this player over", true});
    player.disconnect();
    player.set_loaded(false);
    player.turn_in_progress().reset();
    drop(player);
}

/// Ends the turn of a player who is not played here (any more) and forgets them, unless somebody waits for a turn.
void Game::drop(Player& player) {
    if (player.is_online() || player.mailbox().waiting() > 0) {
        player.mailbox().done();
        return;
    }
    bus_.publish(Role::center, session::Unloaded{player.id(), player.connection()});
    const auto id = player.id();
    // Whoever dropped the player may still stand on its frame.
    loop_.post([this, id] {
        auto* gone = players_.find(id);
        if (gone == nullptr) return;
        if (gone->mailbox().waiting() > 0) {  // entered again meanwhile
            gone->mailbox().done();
            return;
        }
        players_.erase(id);
        save_late_.erase(id);
        players_gauge_.set(static_cast<std::int64_t>(players_.size()));
    });
}

// --- ModuleHost ------------------------------------------------------------------------------------------------------

Player* Game::find(PlayerId player) {
    auto* found = players_.find(player);
    return found != nullptr && found->is_loaded() ? found : nullptr;
}

void Game::push_to(PlayerId id, BytesView message) {
    flush_replies();
    Buffer frame;
    const auto begin = wire::begin_frame(frame);
    frame.append(message);
    wire::finish_frame(frame, begin);
    const auto* player = players_.find(id);
    if (player != nullptr && player->is_online()) {
        bus_.send_raw(player->gateway(), session::relay_to_client, static_cast<std::uint64_t>(id),
                      static_cast<std::uint64_t>(player->connection()), frame);
        return;
    }
    const auto center = bus_.any(Role::center);
    if (center) bus_.send_raw(*center, session::relay_to_player, static_cast<std::uint64_t>(id), 0, frame);
}

void Game::push_to(const std::vector<PlayerId>& ids, BytesView message) {
    flush_replies();
    std::map<RoleAddress, std::vector<PlayerId>> by_gateway;
    for (const auto id : ids) {
        const auto* player = players_.find(id);
        if (player != nullptr && player->is_online()) {
            by_gateway[player->gateway()].push_back(id);
        } else {
            push_to(id, message);
        }
    }
    for (auto& [gateway, there] : by_gateway) {
        bus_.send(gateway, session::RelayToMany{std::move(there), {message.begin(), message.end()}});
    }
}

void Game::push_to_all(BytesView message) {
    flush_replies();
    for (const auto& gateway : bus_.ready(Role::gateway)) {
        bus_.send_raw(gateway.address, session::relay_to_all, 0, 0, message);
    }
}

Task<storage::Record> Game::read_record(std::string space, std::string key) {
    auto record = co_await persistence_.read_record(std::move(space), std::move(key));
    co_return std::move(record).value();
}

Task<std::optional<std::string>> Game::read_component(PlayerId player, std::string name) {
    EntityKey key;
    key.kind = "player";
    key.id = static_cast<std::uint64_t>(player);
    auto read = co_await persistence_.load(std::move(key));
    auto loaded = std::move(read).value();
    std::optional<std::string> found;
    for (auto& component : loaded.components) {
        if (component.name == name) found = std::move(component.data);
    }
    co_return found;
}

}  // namespace gs::game

GS_ROLE(game, game::Game)
