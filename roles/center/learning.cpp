// How a center begins and ends, and what it learns of those who play already: it remembers nothing itself.
#include "roles/center/center.hpp"

#include "api/crypto.hpp"
#include "api/json.hpp"

namespace gs::center {

namespace {

struct Term {
    std::uint64_t term = 0;
    FIELDS(term)
};
struct SessionKey {
    Binary key;
    FIELDS(key)
};
constexpr std::size_t session_key_bytes = 32;
constexpr auto bans_period = std::chrono::seconds{30};
constexpr auto queue_period = std::chrono::milliseconds{200};
constexpr auto learn_again = std::chrono::seconds{1};

}  // namespace

runtime::Task<> Center::start() {
    report();  // not ready, but those with news can reach it
    co_await bus_.wait_for(Role::storage);
    co_await take_term();
    co_await read_session_key();
    co_await read_bans();
    // Links come up within moments; who they bring is asked before anyone is placed twice.
    const bool waits = term_ > 1 && bus_.bus().group().has_peers && !planted(PlantedBug::grant_before_rebuild);
    if (waits) co_await runtime::sleep(loop_, settle_);
    while (learning_ > 0 && !planted(PlantedBug::grant_before_rebuild)) {
        co_await runtime::sleep(loop_, std::chrono::milliseconds{1});
    }
    ready_ = true;
    report();
    timers_.every("report", std::chrono::seconds{1}, [this] { report(); });
    timers_.every("queue", queue_period, [this] {
        queue_.set_playing(players_.size());
        queue_.move();
    });
    timers_.every("channels", std::chrono::seconds{1}, [this] {
        if (!saving_) tasks_.spawn(save_channels(), "save channels");
    });
}

runtime::Task<> Center::stop() {
    timers_.cancel_all();
    bus_.announce(false, 0, {});
    co_await channels_.save();
}

void Center::report() {
    online_gauge_.set(static_cast<std::int64_t>(online_));
    bus_.announce(ready_, static_cast<std::uint32_t>(online_), {});
    std::uint32_t busiest = 0;
    for (const auto role : {Role::gateway, Role::game}) {
        for (const auto& instance : bus_.ready(role)) busiest = std::max(busiest, instance.state.cpu);
    }
    queue_.set_cpu(busiest);
}

/// Each run of a center has a term of its own, taken by compare-and-swap.
runtime::Task<> Center::take_term() {
    for (;;) {
        auto record = co_await persistence_.read_record("center", "term");
        if (!record) {
            co_await runtime::sleep(loop_, std::chrono::milliseconds{50});
            continue;
        }
        Term term;
        if (record->version > 0) term = from_json<Term>(record->data).value();
        ++term.term;
        storage::Commit commit;
        commit.records.push_back({"center", "term", record->version, to_json(term)});
        auto outcome = co_await persistence_.commit(std::move(commit));
        if (outcome && *outcome == storage::Outcome::ok) {
            term_ = term.term;
            co_return;
        }
    }
}

/// All keys of sessions are derived from one that is stored, so a session outlives the center.
runtime::Task<> Center::read_session_key() {
    for (;;) {
        auto record = co_await persistence_.read_record("center", "session_key");
        if (!record) {
            co_await runtime::sleep(loop_, std::chrono::milliseconds{50});
            continue;
        }
        if (record->version > 0) {
            session_key_ = from_json<SessionKey>(record->data).value().key;
            co_return;
        }
        SessionKey fresh;
        fresh.key.resize(session_key_bytes);
        fill_random(fresh.key);
        storage::Commit commit;
        commit.records.push_back({"center", "session_key", 0, to_json(fresh)});
        // Read again whatever comes of it: what is stored counts.
        auto outcome = co_await persistence_.commit(std::move(commit));
        static_cast<void>(outcome);
    }
}

/// Nobody is let in before they are known. What another center's note did not bring comes with the next reading.
runtime::Task<> Center::read_bans() {
    int failures = 0;
    for (;;) {
        auto read = co_await bans_.read();
        if (read) break;
        if (++failures % 100 == 0)
            log::warn("the bans cannot be read, so nobody is let in: {}", read.error().message());
        co_await runtime::sleep(loop_, std::chrono::milliseconds{50});
    }
    timers_.after("bans", bans_period, [this] { tasks_.spawn(read_bans(), "read bans"); });
}

runtime::Task<> Center::save_channels() {
    saving_ = true;
    try {
        co_await channels_.save();
    } catch (const Error& error) {
        log::warn("channels are saved later: {}", error.message());
    }
    saving_ = false;
}

void Center::on_instance(const cluster::Instance& instance, bool up) {
    const auto role = instance.address.role;
    if (role != Role::gateway && role != Role::game) return;
    if (!up) {
        // A game that only stops still saves: its players are its own until it unloads them or is lost. A gateway that
        // finds no game right now still has its clients.
        if (bus_.bus().find(instance.address) != nullptr) return;
        forget(instance.address);
    } else {
        ++learning_;
        tasks_.spawn(learn(instance.address), "learn");
    }
}

runtime::Task<> Center::learn(RoleAddress from) {
    bool is_waited_for = true;
    while (bus_.bus().find(from) != nullptr) {
        auto held = co_await bus_.call(from, session::ListPlayers{});
        if (held) {
            const auto kept = std::count_if(held->players.begin(), held->players.end(),
                                            [&](const session::HeldPlayer& one) { return keeps(one.player); });
            for (const auto& player : held->players) learn_player(player, from);
            if (kept > 0) log::info("{} brought {} of the players whom this center keeps", from, kept);
            break;
        }
        log::warn("{} did not say who is with it: {}", from, held.error().message());
        // One that hangs does not keep logins from all the others.
        if (std::exchange(is_waited_for, false)) --learning_;
        co_await runtime::sleep(loop_, learn_again);
    }
    if (is_waited_for) --learning_;
}

void Center::learn_player(const session::HeldPlayer& held, RoleAddress from) {
    for (const auto& channel : held.channels) {
        if (bus_.keeps(session::center_key(channel))) channels_.add_member(channel, from, held.player);
    }
    if (!keeps(held.player)) return;
    auto& place = players_[held.player];
    if (place.epoch > held.epoch) {
        // It held this player before this center began, and the player has moved on since.
        if (from.role == Role::gateway) kick(from, held.player, held.epoch);
        return;
    }
    const bool was_online = place.gateway.has_value();
    // An older connection of that player, learned first.
    if (from.role == Role::gateway && was_online && *place.gateway != from)
        kick(*place.gateway, held.player, place.epoch);
    place.epoch = held.epoch;
    place.session = std::max(place.session, held.session);
    place.game = held.game;
    if (from.role == Role::gateway) place.gateway = from;
    if (place.gateway && !was_online) ++online_;
}

void Center::forget(RoleAddress gone) {
    if (gone.role == Role::gateway) {
        ++lost_gateways_;
        queue_.forget(gone);
    }
    placed_.erase(gone);
    channels_.remove_gateway(gone);
    for (auto place = players_.begin(); place != players_.end();) {
        auto& [player, where] = *place;
        if (where.gateway == gone) {
            where.gateway.reset();
            --online_;
        }
        // One that is lost here may still play there, so who has a client stays known: a newer login must end that one.
        place = where.gateway || is_here(where.game) ? std::next(place) : players_.erase(place);
    }
}

}  // namespace gs::center
