#include "tests/sim/bot.hpp"

#include <random>

#include "modules/echo/messages.hpp"
#include "tests/scenarios/world.hpp"

namespace gs::sim {

using namespace std::chrono_literals;
using runtime::Duration;

namespace {
constexpr std::size_t requests_max = 16;
}

std::string token_of(const runtime::Loop& loop, PlayerId player, const std::string& zone) {
    TokenClaims claims;
    claims.player = player;
    claims.account = "simulated";
    claims.issued = std::chrono::time_point_cast<std::chrono::seconds>(loop.wall_now());
    claims.expires = claims.issued + 600s;
    claims.zone = zone;
    return sign_token(scenarios::token_key(), claims);
}

Bot::Bot(BotWorld& world, std::uint64_t seed, std::string host, PlayerId player, bool guest)
    : world_{world},
      random_{seed, host},
      player_{player},
      client_{world.network, world.loop, host, world.gateways, seed, *this},
      guest_{guest} {
    for (const auto& workload : world_.workloads) {
        scripts_.push_back(workload->make_script(*this));
        weight_ += workload->weight();
    }
    world_.bots.push_back(this);
}

void Bot::start() { connect_later(guest_ ? random_.exponential(world_.guest_pause) : random_.between(0ms, 3000ms)); }

void Bot::connect_later(Duration wait) {
    world_.loop.after(wait, [this] { connect(); });
}

void Bot::connect() {
    if (ended_ || !client_.is_idle() || (world_.healthy && !guest_)) return;
    if (world_.loop.now() >= token_until_) {
        token_ = token_of(world_.loop, player_);
        token_until_ = world_.loop.now() + 300s;
    }
    client_.connect(random_.between(0, world_.gateways.size() - 1), token_);
}

void Bot::prove() {
    proving_ = true;
    if (guest_) return;  // whoever plays for good takes over from it
    client_.set_reading(true);
    if (client_.in_session()) prove_with(proved_);
}

void Bot::prove_with(std::size_t script) {
    if (script != proved_ || has_proved()) return;
    scripts_[script]->prove([this, script](bool done) {
        if (done && script == proved_) ++proved_;
        if (!client_.in_session()) return;
        if (done) return prove_with(script + 1);
        world_.loop.after(500ms, [this, script] {
            if (client_.in_session()) prove_with(script);
        });
    });
}

void Bot::visit() {
    if (!guest_) return;
    if (client_.in_session()) leave_scripts();
    client_.disconnect();
    ++actions_;
    visiting_ = true;
    connect_later(random_.between(0ms, 2000ms));
}

void Bot::end() {
    ended_ = true;
    client_.leave();
}

std::string Bot::state() const {
    return fmt::format("{} (player {}): {}, {} requests wait", client_.host(), player_,
                       client_.is_entered()   ? "entered"
                       : client_.in_session() ? "away"
                       : client_.is_idle()    ? "idle"
                                              : "connecting",
                       client_.waiting());
}

// --- what happens to it ----------------------------------------------------------------------------------------------

void Bot::on_entered() {
    world_.trace.note("entered", client_.host(), static_cast<std::uint64_t>(player_));
    session_ = ++world_.sessions;
    ++era_;
    ++actions_;
    has_played_ = true;
    for (const auto& script : scripts_) script->on_entered();
    if (proving_ && (!guest_ || visiting_)) prove_with(proved_);
    act_later();
}

void Bot::on_resumed(bool gap) {
    world_.trace.note("resumed", client_.host(), static_cast<std::uint64_t>(player_), gap ? 1 : 0);
    if (!gap) return;
    if (world_.world.only_gateways_fail)
        fail("was told of a gap, though nothing but gateways and connections was lost");
    ++era_;
    for (const auto& script : scripts_) script->on_gap();
}

void Bot::on_resume_sent(BytesView frame) { world_.overheard[player_].emplace_back(frame.begin(), frame.end()); }

void Bot::check_visit(const wire::Close& close) {
    if (!visiting_ || has_proved()) return;
    fail(fmt::format("lost its connection though nothing is wrong: {}", close.reason));
}

/// Whoever is told that somebody else logged in knows who it was: a stranger cannot.
void Bot::check_takeover(const wire::Close& close) const {
    if (!has_played_ || close.code != Code::fenced || close.reconnect) return;
    for (const auto* bot : world_.bots) {
        if (bot->player_ != player_) continue;
        if (bot->client_.enters_in_doubt() > 0) return;  // its login or resume may still be under way
        if (bot != this && (bot->session_ > session_ || bot->client_.in_session())) return;
    }
    world_.trace.fail(fmt::format("{} lost its session to another login, and nobody else logged in as player {}: {}",
                                  host(), player_, close.reason));
}

bool Bot::wants_to_resume(const wire::Close& close) {
    world_.trace.note("away", client_.host(), static_cast<std::uint64_t>(close.code));
    check_visit(close);
    if (ended_ || (world_.healthy && !guest_) || (guest_ && proving_ && !visiting_)) return false;
    return !random_.chance(world_.forgets);
}

void Bot::on_lost(const wire::Close& close) {
    world_.trace.note("lost", client_.host(), static_cast<std::uint64_t>(close.code), close.reconnect ? 1 : 0);
    ++actions_;
    leave_scripts();
    if (close.code == Code::invalid) fail(fmt::format("was cut off: {}", close.reason));
    if (close.code == Code::unauthenticated) {
        if (!world_.calendars_jump) fail(fmt::format("has a good token, and it was refused: {}", close.reason));
        token_until_ = {};
    }
    check_takeover(close);
    // A newer login took over: this one asks again after a while, else the two would fight without end.
    const bool taken_over = close.code == Code::fenced && !close.reconnect;
    check_visit(close);
    const bool has_played = std::exchange(has_played_, false);
    if (ended_ || (guest_ && proving_)) return;
    if (guest_ && has_played) {
        connect_later(random_.exponential(world_.guest_pause));
    } else if (taken_over && !proving_) {
        connect_later(random_.between(1s, 10s));
    } else {
        connect_later(random_.between(50ms, 2s));
    }
}

void Bot::on_push(Command command, BytesView body) {
    for (const auto& script : scripts_) script->on_push(command, body);
}

void Bot::leave_scripts() {
    ++era_;
    for (const auto& script : scripts_) script->on_left();
}

// --- what it does ----------------------------------------------------------------------------------------------------

void Bot::act_later() {
    world_.loop.after(random_.exponential(world_.think) + 1ms, [this, session = actions_] {
        if (session != actions_ || ended_ || !client_.in_session()) return;
        act();
        if (session == actions_) act_later();
    });
}

void Bot::act() {
    // A login waits until the player's requests are done, so that in the end nobody may have many under way.
    if (client_.waiting() >= (proving_ ? 1 : requests_max)) return;
    if (random_.chance(world_.leaves) && !proving_) {
        leave();
        return;
    }
    if (random_.chance(world_.slow) && !proving_) {
        stop_reading();
        return;
    }
    if (weight_ == 0) return;
    auto draw = random_.between(0, weight_ - 1);
    for (std::size_t index = 0;; ++index) {
        const auto weight = world_.workloads[index]->weight();
        if (draw < weight) return scripts_[index]->act();
        draw -= weight;
    }
}

void Bot::stop_reading() {
    world_.trace.note("stops reading", client_.host());
    client_.set_reading(false);
    // What it is sent fills the buffers on the way, then the gateway's queue.
    std::string text(12'000, 's');
    std::minstd_rand letters;  // not to be compressed
    for (auto& letter : text) letter = static_cast<char>('A' + letters() % 50);
    for (int count = 0; count < 40; ++count) request(echo::Echo{text}, [](const Result<echo::Echo>&) {});
    world_.loop.after(random_.exponential(8s), [this] { client_.set_reading(true); });
}

void Bot::leave() {
    world_.trace.note("leaves", client_.host());
    leave_scripts();
    if (random_.chance(0.5)) {
        client_.leave();
    } else {
        client_.disconnect();
    }
    ++actions_;
    has_played_ = false;
    connect_later(guest_ ? random_.exponential(world_.guest_pause) : random_.over_magnitudes(1ms, 20s));
}

}  // namespace gs::sim
