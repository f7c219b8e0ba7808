// Players come, are saved, leave, and their clients come back.
#include "roles/game/game.hpp"

namespace gs::game {

namespace {
constexpr std::uint64_t number_max = std::uint64_t{1} << 62U;
}

Task<session::Entrance> Game::enter(RoleAddress from, session::EnterGame request) {
    if (stopping_) throw Error{Code::unavailable, "this game server is stopping"};
    if (players_.find(request.player) == nullptr) {
        require_not_handed_over(request);
        if (hand_over_.is_draining()) {
            bus_.publish(Role::center, session::Unloaded{request.player, request.epoch});  // who thought it was here
            throw Error{Code::unavailable, "this game server takes no more players; try again"};
        }
    }
    if (is_full_for(request.player)) {
        throw Error{Code::busy, "this game server is full ({} players)", settings_.players_max};
    }
    auto& player = players_.find_or_create(request.player);
    if (player.connection() >= request.epoch)
        throw Error{Code::fenced, "a newer connection of player {} exists", request.player};
    // Taken at once: what an older connection still sends or ends is not this one's.
    player.connect(request.epoch, from);
    cut_off_.erase(request.player);
    co_await player.mailbox().turn();
    if (player.connection() != request.epoch || !player.is_online()) {
        const bool is_newest = player.connection() == request.epoch;
        player.is_loaded() ? player.mailbox().done() : drop(player);
        if (!is_newest) throw Error{Code::fenced, "a newer connection of player {} exists", request.player};
        throw Error{Code::unavailable, "the connection ended while player {} was loaded", request.player};
    }
    session::Entrance entrance;
    Error failure{Code::ok, ""};
    try {
        require_not_handed_over(request);
        hand_over_.came_back(request.player);
        const bool was_here = co_await own(player, request.moves, std::nullopt);
        entrance = take_up_session(player, request);
        if (!was_here || entrance.state != wire::SessionState::resumed) run_enter_hooks(player);
        co_await settle(player);
        hand_over_.push_early(player);
    } catch (const Error& error) {
        failure = error;
    } catch (const std::exception& error) {
        log::error("an enter hook failed for player {}: {}", player.id(), error.what());
        failure = Error{Code::internal, "the server failed to let player {} enter", player.id()};
    }
    if (failure.code() != Code::ok) {
        if (player.connection() == request.epoch) player.disconnect(loop_.now());
        player.stream().hold(false);
        // One who was here already is saved later, with all others whose client is gone.
        player.is_loaded() ? player.mailbox().done() : drop(player);
        throw Error{failure};
    }
    if (player.connection() == request.epoch && player.is_online()) {
        player.attach();
        const auto missed = player.stream().frames_after(entrance.next - 1);
        entrance.frames.assign(missed.begin(), missed.end());
        if (entrance.state != wire::SessionState::fresh) channels_.join_again(player, tasks_);
    }
    player.mailbox().done();
    report();
    // The gateway may have died meanwhile; nobody else would say that this client is gone.
    if (bus_.bus().find(from) == nullptr) on_leave(request.player, request.epoch, false);
    co_return std::move(entrance);
}

void Game::require_room(PlayerId player) const {
    if (!ready_) throw Error{Code::unavailable, "{} takes no players", bus_.address()};
    if (is_full_for(player)) throw Error{Code::busy, "{} is full", bus_.address()};
}

Task<bool> Game::own(Player& player, bool may_be_old, std::optional<storage::Ownership> expected) {
    if (may_be_old && player.is_loaded()) {
        const auto saved = co_await save(player, true);
        player.set_loaded(saved != Saved::fenced);
    }
    const bool was_here = player.is_loaded();
    if (!was_here) co_await load(player, expected);
    co_return was_here;
}

Task<> Game::settle(Player& player) {
    const auto saved = co_await save_confirmed(player);
    player.set_loaded(saved != Saved::fenced);
    if (saved == Saved::fenced) {
        throw Error{Code::unavailable, "another game server took player {} over", player.id()};
    }
}

Task<> Game::load(Player& player, std::optional<storage::Ownership> expected) {
    scenes_.forget(player.id());  // who left a moment ago and is back before it was dropped
    auto opened = co_await persistence_.open(player.key(), expected);
    auto stored = std::move(opened).value();
    player.restore_session(stored, expected.has_value());
    player.load(std::move(stored), components_).value();
    if (hand_over_.has_lost_early(player.id())) player.stream().tear();
}

/// The center sent the client here before it knew; the next time it will send it there.
void Game::require_not_handed_over(const session::EnterGame& request) {
    if (!request.moves && hand_over_.has_given(request.player)) {
        if (hand_over_.is_known_to_be_given(request.player))
            bus_.publish(Role::center, session::Unloaded{request.player, request.epoch});
        throw Error{Code::unavailable, "player {} has gone to another game server; connect again", request.player};
    }
}

bool Game::is_full_for(PlayerId player) const {
    return players_.find(player) == nullptr && players_.size() >= static_cast<std::size_t>(settings_.players_max);
}

session::Entrance Game::take_up_session(Player& player, const session::EnterGame& request) {
    auto& stream = player.stream();
    session::Entrance entrance;
    if (!request.resume) {
        stream.begin(request.session);
        stream.hold(true);
        player.channels().clear();
        return entrance;
    }
    if (request.received > number_max || request.answered > number_max) {
        throw Error{Code::invalid, "a session does not have as many messages as that"};
    }
    if (stream.session() > request.session) {
        throw Error{Code::fenced, "player {} logged in somewhere else", player.id()};
    }
    if (stream.session() == request.session && stream.is_over()) {
        throw Error{Code::not_found, "the session is over; log in again"};
    }
    stream.hold(true);
    const bool known = stream.session() == request.session;
    if (!known) {  // its game was lost before anything of it was stored
        stream.begin(request.session);
        stream.hold(true);
    }
    if (known && !stream.is_torn() && stream.covers(request.received)) {
        entrance.state = wire::SessionState::resumed;
        entrance.next = request.received + 1;
        resumed_.add();
    } else {
        entrance.state = wire::SessionState::gap;
        entrance.next = stream.bridge_gap(request.received, request.answered).value();
        gaps_.add();
    }
    entrance.received = stream.received();
    return entrance;
}

void Game::run_enter_hooks(Player& player) {
    for (const auto& hook : enter_hooks_) run_hook(player, hook);
}

void Game::run_leave_hooks(Player& player) {
    for (const auto& hook : leave_hooks_) {
        try {
            run_hook(player, hook);
        } catch (const std::exception& error) {
            // Whatever a module does here, the player is saved.
            log::error("a leave hook failed for player {}: {}", player.id(), error.what());
        }
    }
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

void Game::on_leave(PlayerId id, ConnectionEpoch epoch, bool for_good) {
    auto* player = players_.find(id);
    if (player == nullptr) {
        if (!hand_over_.has_given(id) || hand_over_.is_known_to_be_given(id))
            bus_.publish(Role::center, session::Unloaded{id, epoch});
        return;
    }
    if (player->connection() != epoch && !planted(PlantedBug::delete_by_player)) return;
    cut_off_.erase(id);
    if (player->is_online()) player->disconnect(loop_.now());
    if (for_good || settings_.resume.count() == 0) start_leaving(*player);
}

/// Another group is to play it from now on: whatever connection it had here, none is to come.
void Game::on_called_back(const session::LeaveGame& note) {
    const auto* player = players_.find(note.player);
    const bool is_older = player != nullptr && player->connection() <= note.epoch;
    hand_over_.pass_on(note);
    on_leave(note.player, is_older ? player->connection() : note.epoch, true);
}

/// The client left for good while its player was on the way to here; unless it is back.
void Game::on_leave_passed_on(const session::LeaveGame& note) {
    auto* player = players_.find(note.player);
    hand_over_.pass_on(note);  // the player may have gone on already
    if (player != nullptr && !player->is_online() && player->connection() <= note.epoch) start_leaving(*player);
}

void Game::start_leaving(Player& player) {
    if (player.is_leaving()) return;
    player.set_leaving(true);
    tasks_.spawn(leave(player), "leave");
}

/// All players are looked at in a round, some at a time: who asks something meanwhile does not wait for all of them.
void Game::begin_round() {
    while (looked_at_ != PlayerId{}) look_at_some();  // what is left of the last round
    ++save_ticks_;
    look_at_some();
}

void Game::look_at_some() {
    timers_.cancel("look");
    auto left = std::max<std::size_t>(looked_at_once_min, players_.size() / (save_tick / look_tick / 2));
    for (; left > 0; --left) {
        auto* player = players_.next(looked_at_);
        looked_at_ = player == nullptr ? PlayerId{} : player->id();
        if (player == nullptr) return;
        if (!end_if_stale(*player)) save_if_due(*player);
    }
    timers_.after("look", look_tick, [this] { look_at_some(); });
}

/// Whether it is: saved as well then, and maybe gone.
bool Game::end_if_stale(Player& player) {
    if (player.is_online() || !player.is_loaded() || loop_.now() - player.offline_since() < settings_.resume)
        return false;
    start_leaving(player);
    return true;
}

Task<> Game::leave(Player& player) {
    co_await player.mailbox().turn();
    player.set_leaving(false);
    if (player.is_online() || !player.is_loaded()) {
        drop(player);
        co_return;
    }
    run_leave_hooks(player);
    const auto saved = co_await save_last(player, false);
    if (saved == Saved::fenced) {
        drop_fenced(player);
        co_return;
    }
    if (player.is_moving()) {
        bus_.send(player.gateway(), session::Kick{player.id(), player.connection(), Code::unavailable,
                                                  "the game server is stopping", true});
    }
    player.set_loaded(false);  // who has entered meanwhile is loaded again
    drop(player);
}

/// With a note for whoever resumes the session: how to go on, or that it is over.
Task<Saved> Game::save_last(Player& player, bool for_heir) {
    auto& stream = player.stream();
    if (!player.is_moving()) {
        if (stream.session() != 0) stream.end();
        co_return co_await save(player, stream.session() != 0);
    }
    // What others push meanwhile must not stay behind.
    auto saved = Saved::yes;
    for (std::uint64_t noted = 0; noted != stream.next() && saved == Saved::yes;) {
        noted = stream.next();
        player.set_whole_mark(for_heir ? Player::Whole::for_heir : Player::Whole::for_anyone);
        saved = co_await save(player, true);
    }
    player.set_whole_mark(Player::Whole::no);
    co_return saved;
}

/// Only when something waits that nobody may see before it is durable.
Task<Saved> Game::save_confirmed(Player& player) {
    if (!player.unsaved_real_time()) co_return Saved::yes;
    co_return co_await save(player, false);
}

Task<Saved> Game::save(Player& player, bool always) {
    if (!player.unsaved() && !always) co_return Saved::yes;
    storage::Commit commit;
    commit.entities.push_back(player.next_write());
    auto outcome = co_await persistence_.commit(std::move(commit));
    if (!outcome) {
        log::error("player {} cannot be saved: {}", player.id(), outcome.error().message());
        co_return Saved::refused;
    }
    if (*outcome == storage::Outcome::fenced) co_return Saved::fenced;
    player.write_done();
    co_return Saved::yes;
}

Task<> Game::save_in_background(Player& player) {
    const auto saved = co_await save(player, false);
    if (saved == Saved::fenced) {
        drop_fenced(player);
        co_return;
    }
    player.mailbox().done();
}

void Game::save_if_due(Player& player) {
    const auto id = player.id();
    const auto ticks = std::max<std::int64_t>(1, settings_.save_period / save_tick);
    const bool its_turn = static_cast<std::int64_t>((static_cast<std::uint64_t>(id) + save_ticks_) %
                                                    static_cast<std::uint64_t>(ticks)) == 0;
    const bool due = its_turn || save_late_.contains(id);
    if (!(player.unsaved_real_time() || (due && player.unsaved()))) return;
    // One whose turn is taken right now is due again in the next round.
    if (!player.mailbox().try_begin()) {
        save_late_.insert(id);
        return;
    }
    save_late_.erase(id);
    tasks_.spawn(save_in_background(player), "save");
}

void Game::drop_fenced(Player& player) {
    log::warn("player {} has a newer owner: dropped here, nothing saved", player.id());
    bus_.send(player.gateway(), session::Kick{player.id(), player.connection(), Code::fenced,
                                              "another game server took this player over", true});
    player.disconnect(loop_.now());
    player.set_loaded(false);
    if (player.turn_in_progress()) player.turn_in_progress()->undo();
    player.turn_in_progress().reset();
    drop(player);
}

void Game::drop(Player& player) {
    if (player.is_online() || player.mailbox().waiting() > 0) {
        player.mailbox().done();
        return;
    }
    // One that was handed over is with another game role.
    if (!hand_over_.has_given(player.id())) {
        bus_.publish(Role::center, session::Unloaded{player.id(), player.connection()});
    }
    // Whoever dropped the player may still stand on its frame.
    loop_.post([this, id = player.id()] {
        auto* gone = players_.find(id);
        if (gone == nullptr) return;
        if (gone->mailbox().waiting() > 0) {  // entered again meanwhile
            gone->mailbox().done();
            return;
        }
        players_.erase(id);
        scenes_.forget(id);
        save_late_.erase(id);
        cut_off_.erase(id);
        hand_over_.forget(id);
        players_gauge_.set(static_cast<std::int64_t>(players_.size()));
    });
}

}  // namespace gs::game
