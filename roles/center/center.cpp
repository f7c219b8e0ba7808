#include "roles/center/center.hpp"

#include <algorithm>

#include "api/crypto.hpp"

namespace gs::center {

namespace {

/// An epoch of a later term is greater than all of earlier ones, so a center that lost its memory never goes back.
constexpr unsigned epoch_bits_in_term = 40;
constexpr auto call_back_again = std::chrono::milliseconds{500};
constexpr auto attach_patience = std::chrono::seconds{8};  // clients are told then, and try again

}  // namespace

Center::Center(RoleContext& context)
    : loop_{context.loop},
      bus_{context.bus},
      persistence_{context.bus, context.metrics},
      channels_{context.bus, persistence_, context.loop, context.metrics},
      bans_{context.bus, persistence_, context.loop},
      queue_{context.settings.section("center"), context.bus, context.loop, context.metrics},
      router_{context.settings.section("center"), context.modules},
      settle_{context.settings.section("center").integer(
          "settle_ms", 2500, {0, 60'000}, "milliseconds",
          "a restarted center of a cluster waits this long for links, which dial again every 2 s, to learn who is "
          "online before it grants logins")},
      online_gauge_{context.metrics.gauge("gameserver_online_players",
                                          "players online, of those whom this center keeps; several share them")},
      takeovers_{context.metrics.counter("gameserver_takeovers_total", "connections replaced by a newer login")},
      gone_{context.metrics.counter("gameserver_center_gone_total", "messages for players who are not online")},
      timers_{context.loop} {
    bus_.on<session::Attach>([this](RoleAddress from, session::Attach request) { return attach(from, request); });
    bus_.on<session::Detached>(
        [this](const cluster::Envelope& envelope, const session::Detached& note) { detach(note, envelope.from); });
    bus_.on<session::Unloaded>(
        [this](const cluster::Envelope& envelope, const session::Unloaded& note) { unload(note, envelope.from); });
    bus_.on<session::MovePlayer>([this](const cluster::Envelope& envelope, const session::MovePlayer& request) {
        return move_player(request, envelope.from);
    });
    bus_.on<session::Locate>([this](const cluster::Envelope&, const session::Locate& request) {
        const auto place = players_.find(request.player);
        if (place == players_.end()) throw Error{Code::not_found, "player {} does not play now", request.player};
        return session::Located{place->second.game};
    });
    bus_.on_raw(session::relay_to_player, [this](const cluster::Envelope& envelope) { relay_to_player(envelope); });
    bus_.on<session::ChannelJoin>(
        [this](RoleAddress, session::ChannelJoin request) { return channels_.join(std::move(request)); });
    bus_.on<session::ChannelLeave>(
        [this](const cluster::Envelope&, const session::ChannelLeave& request) { return channels_.leave(request); });
    bus_.on<session::ChannelAppend>(
        [this](RoleAddress, session::ChannelAppend request) { return append(std::move(request)); });
    bus_.on<session::CheckCurrent>([this](const cluster::Envelope&, const session::CheckCurrent& request) {
        require_current(request.player, request.epoch);
        return Done{};
    });
    bus_.on<session::ChannelsLeft>([this](const cluster::Envelope& envelope, const session::ChannelsLeft& note) {
        for (const auto& channel : note.channels) channels_.remove_member(channel, envelope.from, note.player);
    });
    bus_.on<session::PutBan>([this](RoleAddress, session::PutBan request) { return bans_.put(std::move(request)); });
    bus_.on<session::LiftBan>([this](RoleAddress, session::LiftBan request) { return bans_.lift(std::move(request)); });
    bus_.on<session::ListBans>([this](const cluster::Envelope&, const session::ListBans&) { return bans_.list(); });
    bus_.on<session::CheckBans>([this](const cluster::Envelope&, const session::CheckBans& request) {
        bans_.check(request.whom);
        return Done{};
    });
    bus_.on<session::BanChanged>(
        [this](const cluster::Envelope&, const session::BanChanged& note) { bans_.on_changed(note); });
    bus_.on<session::QueueLeft>([this](const cluster::Envelope& envelope, const session::QueueLeft& note) {
        queue_.leave(note.ticket, envelope.from);
    });
    bus_.on<session::KickPlayer>(
        [this](RoleAddress, session::KickPlayer request) { return kick_player(std::move(request)); });
    bus_.watch([this](const cluster::Instance& instance, bool up) { on_instance(instance, up); });
}

Binary Center::key_of(PlayerId player, std::uint64_t session) const {
    const auto text = fmt::format("session {} of player {}", session, player);
    const auto key = hmac_sha256(session_key_, as_bytes(text));
    return {key.begin(), key.end()};
}

bool Center::is_here(RoleAddress game) const { return bus_.bus().find(game) != nullptr; }

RoleAddress Center::choose_game(std::string_view group) const {
    std::optional<RoleAddress> best;
    std::uint64_t least = 0;
    for (const auto& game : bus_.ready(Role::game)) {
        if (game.state.group != group) continue;
        const auto placed = placed_.find(game.address);
        const bool is_known = placed != placed_.end() && placed->second.reported == game.state.load;
        const auto load = std::uint64_t{game.state.load} + (is_known ? placed->second.more : 0);
        if (best && load >= least) continue;
        best = game.address;
        least = load;
    }
    if (best) return *best;
    if (group == main_group) throw Error{Code::unavailable, "no game server is ready right now; try again in a moment"};
    throw Error{Code::unavailable, "no game server of group \"{}\" is ready right now; try again in a moment", group};
}

/// A fresh login of a player whom a game of another group still holds.
bool Center::is_misplaced(const session::Attach& request, std::string_view group) const {
    if (request.claim.session != 0) return false;
    const auto place = players_.find(request.player);
    if (place == players_.end()) return false;
    const auto* game = bus_.bus().find(place->second.game);
    return game != nullptr && game->state.group != group;
}

/// The game of another group saves the player before any other one may begin. Both players and games may have gone
/// meanwhile.
runtime::Task<> Center::fetch_back(session::Attach request, std::string group, runtime::Time began) {
    auto told = runtime::Time{};
    while (is_misplaced(request, group)) {
        const auto now = loop_.now();
        if (now - began >= attach_patience) {
            throw Error{Code::unavailable, "player {} is still being saved on another game server; try again",
                        request.player};
        }
        if (now - told >= call_back_again) {
            told = now;
            const auto& place = players_.find(request.player)->second;
            if (place.gateway) kick(*place.gateway, request.player, place.epoch);
            session::LeaveGame leave;
            leave.player = request.player;
            leave.epoch = place.epoch;
            leave.for_good = true;
            bus_.send(place.game, leave);
        }
        co_await runtime::sleep(loop_, std::chrono::milliseconds{5});
    }
}

runtime::Task<session::Attached> Center::attach(RoleAddress from, session::Attach request) {
    const auto began = loop_.now();
    const auto lost_before = lost_gateways_;
    while (!ready_ || (learning_ > 0 && !planted(PlantedBug::grant_before_rebuild))) {
        // The gateway gives up soon: an epoch that is granted after that would be nobody's.
        if (loop_.now() - began >= attach_patience) {
            throw Error{Code::unavailable, "logins wait for the center; try again in a moment"};
        }
        co_await runtime::sleep(loop_, std::chrono::milliseconds{1});
    }
    require_gateway(from, lost_before);
    const bool resumes = request.claim.session != 0;
    const bool has_place = queue_.redeem(request.ticket);  // given up by whatever is thrown
    if (!planted(PlantedBug::resume_checks_last)) check_claim(request);
    check_bans(request);
    const auto group = router_.group_of({request.player, request.client_version, request.address});
    const bool changes_group = is_misplaced(request, group);
    if (changes_group) {
        static_cast<void>(choose_game(group));  // throws before anybody loses a place
        co_await fetch_back(request, group, began);
        require_gateway(from, lost_before);
    }
    const auto place = players_.find(request.player);
    const bool known = place != players_.end();
    const auto game = known && is_here(place->second.game) ? place->second.game : choose_game(group);
    if (!known && !resumes && !has_place && !changes_group && !queue_.never_waits(request.player)) {
        queue_.set_playing(players_.size());
        const auto ticket = queue_.enter(request.player, from);
        if (ticket != 0) {
            session::Attached waits;
            waits.ticket = ticket;
            co_return waits;
        }
    }
    const bool moves = !known || place->second.game != game;
    const auto old_gateway = known ? place->second.gateway : std::nullopt;
    const auto old_epoch = known ? place->second.epoch : ConnectionEpoch{};
    if (planted(PlantedBug::kick_before_epoch) && old_gateway) {
        kick(*old_gateway, request.player, old_epoch);
        co_await runtime::sleep(loop_, std::chrono::milliseconds{200});
    }

    auto& now = players_[request.player];
    now.epoch = ConnectionEpoch{term_ << epoch_bits_in_term | ++granted_};
    // A session is named by the epoch that began it, so a later one has the greater name.
    now.session = resumes ? request.claim.session : static_cast<std::uint64_t>(now.epoch);
    now.gateway = from;
    now.game = game;
    if (moves) count_more(game);
    if (!old_gateway) ++online_;
    // Raised first, told after: the old side is never waited for.
    if (old_gateway) {
        takeovers_.add();
        if (!planted(PlantedBug::kick_before_epoch)) kick(*old_gateway, request.player, old_epoch);
    }
    session::Attached attached;
    attached.epoch = now.epoch;
    attached.game = game;
    attached.session = now.session;
    attached.key = key_of(request.player, now.session);
    attached.moves = moves;
    if (planted(PlantedBug::resume_checks_last)) check_claim(request);
    co_return attached;
}

/// Its call ended with the link: a grant would go to nobody, and who it is for would count as online for ever.
void Center::require_gateway(RoleAddress gateway, std::size_t lost_before) const {
    if (lost_gateways_ != lost_before || bus_.bus().find(gateway) == nullptr)
        throw Error{Code::unavailable, "a gateway was lost; try again in a moment"};
}

void Center::check_claim(const session::Attach& request) const {
    const auto& claim = request.claim;
    if (claim.session == 0) return;
    const auto proof = wire::session_proof(key_of(request.player, claim.session), request.nonce, claim);
    const bool proved = claim.player == request.player && equal_secrets(proof, claim.proof);
    if (!proved && !planted(PlantedBug::unchecked_proof)) {
        throw Error{Code::unauthenticated, "the proof of the session is wrong; log in again"};
    }
    const auto place = players_.find(request.player);
    if (place != players_.end() && place->second.session > claim.session) {
        throw Error{Code::fenced, "this account logged in somewhere else"};
    }
}

void Center::check_bans(const session::Attach& request) const {
    std::vector<std::string> whom{session::ban_of_player(request.player), session::ban_of_address(request.address)};
    if (!request.claim.device.empty()) whom.push_back(session::ban_of_device(request.claim.device));
    bans_.check(whom);
}

/// A game that was paused wakes with players who have moved on since: nobody may hear them twice, or out of order.
void Center::require_current(PlayerId player, ConnectionEpoch epoch) const {
    if (player == PlayerId{} || !ready_ || learning_ > 0) return;
    const auto place = players_.find(player);
    if (place == players_.end() || place->second.epoch > epoch) {
        throw Error{Code::fenced, "player {} is not played here any more", player};
    }
}

/// Those of one speaker keep their order, as all of them go the same way.
runtime::Task<session::ChannelAppended> Center::append(session::ChannelAppend request) {
    const auto asked = loop_.now();
    if (request.player == PlayerId{} || keeps(request.player)) {
        require_current(request.player, request.epoch);
    } else {
        const auto center = session::center_of(bus_, request.player).value();
        session::CheckCurrent check;
        check.player = request.player;
        check.epoch = request.epoch;
        auto checked = co_await bus_.call(center, check);
        static_cast<void>(checked.value());
    }
    co_return co_await channels_.append(std::move(request), asked);
}

bool Center::keeps(PlayerId player) const {
    return bus_.keeps(session::center_key(player)) || planted(PlantedBug::two_keepers);
}

void Center::kick(RoleAddress gateway, PlayerId player, ConnectionEpoch epoch) {
    session::Kick note;
    note.player = player;
    note.epoch = epoch;
    note.code = Code::fenced;
    note.reason = "this account logged in somewhere else";
    bus_.send(gateway, std::move(note));
}

runtime::Task<Done> Center::kick_player(session::KickPlayer request) {
    if (!keeps(request.player)) {
        const auto center = session::center_of(bus_, request.player).value();
        auto kicked = co_await bus_.call(center, request);
        co_return kicked.value();
    }
    const auto place = players_.find(request.player);
    if (place == players_.end() || !place->second.gateway)
        throw Error{Code::not_found, "player {} is not online", request.player};
    session::Kick note;
    note.player = request.player;
    note.epoch = place->second.epoch;
    note.code = Code::forbidden;
    note.reason = request.reason.empty() ? "an operator ended this session" : std::move(request.reason);
    note.ends_session = true;
    bus_.send(*place->second.gateway, std::move(note));
    log::info("player {} was sent away by an operator", request.player);
    co_return Done{};
}

void Center::detach(const session::Detached& note, RoleAddress from) {
    const auto place = players_.find(note.player);
    if (place == players_.end() || place->second.epoch != note.epoch || place->second.gateway != from) return;
    place->second.gateway.reset();
    --online_;
    if (!is_here(place->second.game)) players_.erase(place);
}

void Center::unload(const session::Unloaded& note, RoleAddress from) {
    const auto place = players_.find(note.player);
    if (place == players_.end() || place->second.game != from) return;
    if (place->second.gateway && place->second.epoch != note.epoch) return;  // entering again just now
    if (place->second.gateway) --online_;
    players_.erase(place);
    count_less(from);
}

void Center::count_more(RoleAddress game) {
    const auto* instance = bus_.bus().find(game);
    const auto reported = instance == nullptr ? 0 : instance->state.load;
    auto& placed = placed_[game];
    if (placed.reported != reported) placed = {reported, 0};
    ++placed.more;
}

void Center::count_less(RoleAddress game) {
    if (const auto placed = placed_.find(game); placed != placed_.end() && placed->second.more > 0)
        --placed->second.more;
}

Done Center::move_player(const session::MovePlayer& request, RoleAddress from) {
    const auto [place, is_new] = players_.try_emplace(request.player);
    auto& where = place->second;
    // One whom this center has not learned of yet: the gateway tells it the rest.
    if (is_new) where.epoch = request.epoch;
    if (!is_new && where.game != from && where.game != request.game) {
        throw Error{Code::fenced, "player {} is on {}", request.player, where.game};
    }
    if (where.game == request.game) return {};
    count_less(std::exchange(where.game, request.game));
    count_more(request.game);
    return {};
}

void Center::relay_to_player(const cluster::Envelope& envelope) {
    const auto place = players_.find(PlayerId{envelope.subject});
    if (place == players_.end()) {
        gone_.add();
        return;
    }
    bus_.send_raw(place->second.game, session::relay_to_player, envelope.subject, envelope.generation, envelope.body);
}

}  // namespace gs::center

GS_ROLE(center, center::Center)
