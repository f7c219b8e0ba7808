#include "roles/game/partners.hpp"

#include "roles/game/players.hpp"

namespace gs::game {

namespace {
constexpr auto turn_patience = std::chrono::seconds{1};         // for the turn of the other one
constexpr auto short_patience = std::chrono::milliseconds{50};  // of one who keeps a third player waiting meanwhile
constexpr auto prepare_deadline = std::chrono::milliseconds{1500};
constexpr auto decision_patience = std::chrono::seconds{3};
}  // namespace

Partners::Partners(cluster::RoleBus bus, Players& players, entity::Persistence& persistence, Ends ends)
    : bus_{bus}, players_{players}, persistence_{persistence}, ends_{std::move(ends)} {
    bus_.on<session::Prepare>(
        [this](RoleAddress from, session::Prepare request) { return prepare(from, std::move(request)); });
    bus_.on<session::Decide>([this](const cluster::Envelope& envelope, const session::Decide& note) {
        decide({envelope.from, note.id}, note.done);
    });
}

/// Names a player in the set while it lives.
class Partners::Asking {
public:
    Asking(std::set<PlayerId>& all, PlayerId player) : all_{all}, player_{player} { all_.insert(player_); }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking() { all_.erase(player_); }

private:
    std::set<PlayerId>& all_;
    PlayerId player_;
};

Partners::~Partners() {
    for (const auto& [key, waiting] : waiting_) bus_.loop().cancel(waiting.timer);
}

void Partners::add(std::unique_ptr<PartHandler> part, const std::string& module) {
    const auto place = parts_.find(part->command);
    if (place != parts_.end()) {
        throw Error{Code::conflict,
                    "part {} is claimed twice: {} of module {}, and {} of module {}; give one another number",
                    part->command,
                    place->second.handler->name,
                    place->second.module,
                    part->name,
                    module};
    }
    const auto number = part->command;
    parts_.emplace(number, Part{std::move(part), module});
}

// --- the one who asks ------------------------------------------------------------------------------------------------

Task<RoleAddress> Partners::game_of(PlayerId player) {
    const auto* here = players_.find(player);
    if (here != nullptr && here->is_loaded()) co_return bus_.address();
    const auto center = session::center_of(bus_, player).value();
    session::Locate request;
    request.player = player;
    auto located = co_await bus_.call(center, request);
    co_return located.value().game;
}

Task<Binary> Partners::together(PlayerId other, Command part, Binary body) {
    auto* turn = entity::Turn::current();
    if (turn == nullptr) throw Error{Code::internal, "together() was called outside of a turn"};
    EntityKey key;
    key.kind = "player";
    key.id = static_cast<std::uint64_t>(other);
    if (turn->entity().key() == key || turn->has_partner(key))
        throw Error{Code::invalid, "player {} takes part in this already", other};
    const auto game = co_await game_of(other);
    session::Prepare request;
    request.id = next_id_++;
    request.player = other;
    request.part = part;
    request.body = std::move(body);
    const auto id = request.id;
    const PlayerId asker{turn->entity().key().id};
    if (!turn->has_partners()) request.asker = asker;
    const Asking asking{asking_, asker};
    refuse_queued(asker);
    auto prepared = co_await bus_.call(game, std::move(request), prepare_deadline);
    const auto tell = [this, game, id](bool done) { bus_.send(game, session::Decide{id, done}); };
    if (!prepared) {
        if (prepared.error().code() != Code::deadline) throw Error{prepared.error()};
        tell(false);
        throw Error{Code::busy, "player {} does not answer; nothing was done", other};
    }
    turn->add_partner(std::move(prepared->change), tell);
    co_return std::move(prepared->reply);
}

void Partners::refuse_queued(PlayerId player) {
    std::vector<runtime::Promise<bool>> refused;
    const auto [begin, end] = queued_.equal_range(player);
    for (auto place = begin; place != end; ++place) {
        if (!may_wait(place->second.asker, player)) refused.push_back(place->second.has_turn);
    }
    for (const auto& has_turn : refused) has_turn.set(false);
}

// --- the other one ---------------------------------------------------------------------------------------------------

Task<bool> Partners::turn_of(Player& player, PlayerId asker) {
    if (player.mailbox().try_begin()) co_return true;
    Queued queued;
    queued.asker = asker;
    const auto has_turn = queued.has_turn;
    player.mailbox().wait(
        [this, &player, has_turn] { has_turn.is_set() ? give_turn_back(player) : has_turn.set(true); });
    const auto place = queued_.emplace(player.id(), std::move(queued));
    const auto patience = asker == PlayerId{} ? short_patience : turn_patience;
    const auto timer = bus_.loop().after(patience, [has_turn] { has_turn.set(false); });
    auto answer = has_turn.future();
    const bool taken = co_await std::move(answer);
    bus_.loop().cancel(timer);
    queued_.erase(place);
    co_return taken;
}

/// One who is not played here any more is forgotten by the last one who waited.
void Partners::give_turn_back(Player& player) { player.is_loaded() ? player.mailbox().done() : ends_.gone(player); }

Task<session::Prepared> Partners::prepare(RoleAddress from, session::Prepare request) {
    if (!parts_.contains(request.part)) {
        throw Error{Code::unknown_command, "no module of this server has the part {}", request.part};
    }
    auto* player = players_.find(request.player);
    if (player == nullptr || !player->is_loaded()) {
        throw Error{Code::not_found, "player {} does not play now", request.player};
    }
    if (asking_.contains(request.player) && !may_wait(request.asker, request.player)) {
        throw Error{Code::busy, "player {} trades right now", request.player};
    }
    const bool has_turn = co_await turn_of(*player, request.asker);
    if (!has_turn || !player->is_loaded() || player->is_moving()) {
        if (has_turn) give_turn_back(*player);
        throw Error{Code::busy, "player {} is busy; nothing was done", request.player};
    }
    session::Prepared prepared;
    try {
        prepared = run_part(*player, request);
    } catch (...) {
        player->turn_in_progress().reset();
        player->mailbox().done();
        throw;
    }
    const Key key{from, request.id};
    auto& waiting = waiting_[key];
    waiting.player = request.player;
    waiting.timer = bus_.loop().after(decision_patience, [this, key] {
        const auto player_id = waiting_.at(key).player;
        waiting_.erase(key);
        tasks_.spawn(find_out(player_id), "find out how a common change ended");
    });
    co_return std::move(prepared);
}

session::Prepared Partners::run_part(Player& player, const session::Prepare& request) {
    auto& turn = player.turn_in_progress().emplace(player);
    const runtime::ContextScope scope{&turn};
    Buffer reply;
    try {
        parts_.at(request.part).handler->run(player, request.body, reply);
    } catch (...) {
        turn.undo();
        throw;
    }
    session::Prepared prepared;
    prepared.change = turn.commit();
    prepared.reply.assign(reply.data(), reply.data() + reply.size());
    return prepared;
}

void Partners::decide(const Key& key, bool done) {
    const auto place = waiting_.find(key);
    if (place == waiting_.end()) return;  // it has found out by itself, or does so now
    bus_.loop().cancel(place->second.timer);
    auto* player = players_.find(place->second.player);
    waiting_.erase(place);
    end_turn(*player, done);
}

Task<std::optional<bool>> Partners::was_done(Player& player) {
    storage::Commit nothing;
    nothing.entities.push_back(player.next_write());
    nothing.entities.front().components.clear();
    nothing.entities.front().mark.clear();
    // Once: of a second one nobody could say whether it meets the first or the common change.
    auto outcome = co_await persistence_.commit(std::move(nothing), runtime::Duration::zero());
    if (!outcome || *outcome == storage::Outcome::fenced) co_return std::nullopt;
    const bool done = *outcome == storage::Outcome::dup;
    if (!done) player.write_skipped();
    co_return done;
}

Task<> Partners::find_out(PlayerId id) {
    auto& player = *players_.find(id);
    auto done = co_await was_done(player);
    if (!done) {
        ends_.fenced(player);  // who enters next reads how it ended
        co_return;
    }
    end_turn(player, *done);
}

/// The player is there: its turn is taken.
void Partners::end_turn(Player& player, bool done) {
    auto& turn = *player.turn_in_progress();
    done ? turn.keep(true) : turn.undo();
    player.turn_in_progress().reset();
    player.mailbox().done();
}

}  // namespace gs::game
