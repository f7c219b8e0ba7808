#include "roles/game/game.hpp"

#include <algorithm>

namespace gs::game {

GameSettings::GameSettings(Settings settings)
    : save_period{settings.integer(
          "save_period_seconds", 60, {1, 3600}, "seconds",
          "how often changed components with the periodic policy are saved, spread over players")},
      slow_handler{settings.integer("slow_handler_ms", 50, {1, 60'000}, "milliseconds",
                                    "a handler that keeps the loop longer is named in a warning")},
      resume{
          settings.integer("resume_seconds", 60, {0, 3600}, "seconds",
                           "a player whose connection was lost stays this long, for the client to resume its session")},
      players_max{
          settings.integer("players_max", 20'000, {1, 10'000'000}, "players", "more are refused by this game role")},
      log_calls{settings.flag("log_calls", false, "one log line for each client request: command, player, time taken")},
      group{settings.text("group", main_group,
                          "which players it is for, as center.route and modules say; players are handed over within "
                          "their group")} {}

Game::Game(RoleContext& context)
    : loop_{context.loop},
      bus_{context.bus},
      metrics_{context.metrics},
      settings_tree_{context.settings},
      settings_{context.settings.section("game")},
      persistence_{context.bus, context.metrics},
      channels_{context.bus, players_},
      scenes_{context.bus, players_, context.metrics, [this] { flush_outgoing(); }},
      services_{context.bus},
      partners_{context.bus,
                players_,
                persistence_,
                {[this](Player& player) { drop_fenced(player); }, [this](Player& player) { drop(player); }}},
      hand_over_{context.bus, players_, context.metrics, *this},
      call_log_{context.bus, context.modules, settings_.log_calls},
      players_gauge_{metrics_.gauge("gameserver_game_players", "players in the game roles of this node")},
      gone_{metrics_.counter("gameserver_game_gone_total", "messages for players or connections that are gone")},
      refused_busy_{metrics_.counter("gameserver_game_busy_total", "requests refused: too many of that player wait")},
      failed_{metrics_.counter("gameserver_game_failed_total", "requests that ended with an error reply")},
      slow_{metrics_.counter("gameserver_slow_handlers_total",
                             "handlers that kept the loop longer than game.slow_handler_ms")},
      repeated_{metrics_.counter("gameserver_requests_repeated_total",
                                 "requests that came again after a resume and were not run again")},
      resumed_{metrics_.counter("gameserver_sessions_resumed_total", "sessions that went on over a new connection")},
      gaps_{metrics_.counter("gameserver_session_gaps_total", "resumed sessions whose client had missed something")},
      timers_{context.loop} {
    for (const auto* module : context.modules) {
        loading_module_ = module->name;
        contexts_.push_back(std::make_unique<ModuleContext>(*this, loading_module_));
        modules_.push_back(module->make(*contexts_.back()));
    }
    route_services();
    bus_.on_refused([this](const cluster::Envelope& envelope) { on_refused(envelope); });
    bus_.on_raw(session::relay_from_client, [this](const cluster::Envelope& envelope) { on_client(envelope); });
    bus_.on<session::Serve>([this](RoleAddress, session::Serve request) { return serve(std::move(request)); });
    bus_.on<session::EnterGame>([this](RoleAddress from, session::EnterGame request) { return enter(from, request); });
    bus_.on<session::LeaveGame>([this](const cluster::Envelope& envelope, const session::LeaveGame& note) {
        if (envelope.from.role == Role::game) return on_leave_passed_on(note);
        if (envelope.from.role == Role::center) return on_called_back(note);
        if (note.for_good || settings_.resume.count() == 0) hand_over_.pass_on(note);
        on_leave(note.player, note.epoch, note.for_good);
    });
    bus_.on<session::ListPlayers>([this](const cluster::Envelope&, const session::ListPlayers&) {
        session::HeldPlayers held;
        for (const auto id : players_.ids()) {
            if (hand_over_.has_given(id)) continue;  // another game holds it
            auto* player = players_.find(id);
            held.players.push_back({id, player->connection(), bus_.address(), {}, player->stream().session()});
        }
        return held;
    });
    bus_.watch([this](const cluster::Instance& instance, bool up) {
        if (instance.address.role != Role::gateway || up) return;
        // One that is there and not ready has lost its center: its clients play on.
        if (bus_.bus().find(instance.address) != nullptr) return;
        for (const auto id : players_.ids()) {
            const auto* player = players_.find(id);
            if (player->is_online() && player->gateway() == instance.address) on_leave(id, player->connection(), false);
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
    auto* service_seconds =
        !handler->is_service
            ? nullptr
            : &metrics_.histogram("gameserver_service_seconds",
                                  "from a request's arrival from the game of its player to its reply or error",
                                  {{"command", std::string{handler->name}}});
    commands_[number] =
        std::make_unique<BoundCommand>(BoundCommand{std::move(handler), &seconds, service_seconds, loading_module_});
}

void Game::route_services() {
    std::map<std::string, std::size_t> served;
    for (const auto& context : contexts_) served[context->name()] = 0;
    for (const auto& command : commands_) {
        if (command != nullptr && command->handler->is_service) ++served[command->module];
    }
    services_.read(settings_tree_.section("game"), served);
    for (const auto& command : commands_) {
        if (command == nullptr || !command->handler->is_service) continue;
        auto group = services_.group_of(command->module);
        if (group != settings_.group) command->group = std::move(group);
    }
}

/// Two modules may send the same push, but not two pushes under one number: a client could not tell them apart.
void Game::add_push(const PushType& push) {
    const auto& known = pushes_.emplace(push.command, BoundPush{push, loading_module_}).first->second;
    if (known.push.type == push.type) return;
    throw Error{
        Code::conflict, "push {} is claimed twice: {} of module {}, and {} of module {}; give one another number",
        push.command,   known.push.name,
        known.module,   push.name,
        loading_module_};
}

void Game::add_part(std::unique_ptr<PartHandler> part) { partners_.add(std::move(part), loading_module_); }

Task<> Game::start() {
    co_await bus_.wait_for(Role::storage);
    co_await bus_.wait_for(Role::center);
    ready_ = true;
    report();
    timers_.every("save", save_tick, [this] { begin_round(); });
    timers_.every("report", std::chrono::seconds{1}, [this] { report(); });
    timers_.every("report_soon", report_tick, [this] {
        if (report_due_) report();
    });
    hand_over_.start();
}

Task<> Game::stop() {
    stopping_ = true;
    ready_ = false;
    timers_.cancel_all();
    announce(false, "");
    hand_over_.stop();
    for (const auto id : players_.ids()) {
        auto* player = players_.find(id);
        if (player == nullptr) continue;
        player->set_moving(true);  // the client goes on in another game
        on_leave(id, player->connection(), true);
    }
    const auto asked_until = loop_.now() + cluster::default_deadline;  // later nobody waits for what is served
    while (players_.size() > 0 || (serving_ > 0 && loop_.now() < asked_until))
        co_await sleep(loop_, std::chrono::milliseconds{5});
}

void Game::report() {
    report_due_ = false;
    for (const auto& [player, kick] : cut_off_) bus_.send(kick.first, kick.second);
    players_gauge_.set(static_cast<std::int64_t>(players_.size()));
    const bool is_drained = ready_ && hand_over_.is_draining();
    announce(ready_ && !is_drained, is_drained ? "is drained: its players go to other nodes, and it takes none" : "");
}

void Game::announce(bool is_ready, std::string why) {
    cluster::Announcement state;
    state.ready = is_ready;
    state.load = static_cast<std::uint32_t>(players_.size());
    state.why = std::move(why);
    state.group = settings_.group;
    bus_.announce(std::move(state));
}

// --- ModuleHost ------------------------------------------------------------------------------------------------------

Player* Game::find(PlayerId player) {
    auto* found = players_.find(player);
    return found != nullptr && found->is_loaded() ? found : nullptr;
}

void Game::push_to_all(BytesView message) {
    flush_outgoing();
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
