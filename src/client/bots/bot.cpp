#include "client/bots/bot.hpp"

#include <algorithm>

#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

namespace gs::bots {

using namespace std::chrono_literals;
using client::Clock;

namespace {

constexpr auto settle_time_max = 5s;
constexpr auto settle_poll = 50ms;
constexpr client::Duration back_off_first = 100ms;
constexpr client::Duration back_off_max = 3s;
constexpr std::int64_t token_seconds_min = 30;
constexpr unsigned failures_before_new_login = 5;
constexpr unsigned failures_max = 20;  // of a run that does not survive losses; a server may be busy with logins

std::int64_t unix_seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

client::ClientOptions client_options(const BotOptions& bots) {
    client::ClientOptions options;
    options.resumes = bots.survive;
    options.protocol.client_version = bots.client_version;
    return options;
}

/// Counts as long as it lives.
class Counted {
public:
    explicit Counted(std::size_t& count) : count_{count} { ++count_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --count_; }

private:
    std::size_t& count_;
};

}  // namespace

Bot::Bot(Run& run, std::size_t index)
    : run_{run},
      index_{index},
      random_{static_cast<std::minstd_rand::result_type>((run.options.seed * 1'000'003 + index) % 2'147'483'646 + 1)},
      client_{run.io, client_options(run.options)},
      timer_{run.io} {
    client_.on_away([this](const wire::Close& /*close*/) { lost_at_ = Clock::now(); });
    client_.on_resumed([this](bool gap) { count_resume(gap); });
    client_.on_closed([this](const wire::Close& close) {
        close_ = close;
        timer_.cancel();
    });
    scenario_ = find_scenario(run.options.scenario)->make(*this);
}

asio::awaitable<void> Bot::live() {
    if (run_.options.ramp > 0) {
        const auto offset = std::chrono::duration<double>{static_cast<double>(index_) / run_.options.ramp};
        co_await sleep_until(Clock::now() + std::chrono::duration_cast<Clock::duration>(offset));
    }
    while (!run_.stopping()) {
        const auto entered = co_await enter();
        if (!entered) {
            trouble_ = fmt::format("{}: {}", to_string(entered.error().code()), entered.error().message());
            if (!may_try_again(entered.error())) break;
            co_await back_off();
            continue;
        }
        failures_ = 0;
        trouble_.clear();
        if (was_in_) ++run_.statistics.reconnects;
        was_in_ = true;
        co_await play();
        card().playing = false;
        if (client_.in_session()) {
            scenario_->finish();
            break;
        }
        scenario_->lost();
        if (give_up_after_loss()) break;
        co_await back_off();
    }
    client_.close();
    if (!trouble_.empty() && !run_.interrupted()) fail("did not get in: {}", trouble_);
}

bool Bot::give_up_after_loss() {
    if (survives() && close_.reconnect) return false;
    fail("was disconnected: {}: {}", to_string(close_.code), close_.reason);
    return true;
}

void Bot::count_resume(bool gap) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - lost_at_);
    ++(gap ? run_.statistics.resumed_with_gap : run_.statistics.resumes);
    run_.statistics.resume_time.record(took);
    scenario_->resumed(gap);
}

bool Bot::may_try_again(const Error& error) const {
    switch (error.code()) {
        case Code::limited:
        case Code::busy:
            return survives() || failures_ < failures_max;
        case Code::unavailable:
        case Code::deadline:
        case Code::unauthenticated:
        case Code::fenced:
            return survives();
        default:
            return false;
    }
}

bool Bot::needs_login() const {
    return login_.token.empty() || login_.expires_at - unix_seconds() < token_seconds_min ||
           failures_ % failures_before_new_login == failures_before_new_login - 1;
}

std::vector<client::Gateway> Bot::choose_gateways() {
    auto all = login_.gateways;
    const auto first = random(all.size());
    const auto second = random(all.size());
    // The better of two at random: all of them at the least loaded one would overload it. After a failure, any.
    const auto chosen = failures_ == 0 && all[second].load < all[first].load ? second : first;
    std::rotate(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(chosen), all.end());
    return all;
}

asio::awaitable<Result<void>> Bot::enter() {
    if (needs_login()) {
        auto login = co_await run_.logins->guest(login_.guest_key);
        if (!login) co_return Error::verbatim(login.error().code(), "login: " + login.error().message());
        if (was_in_ && login->player != login_.player)
            fail("its guest key brought it player {} instead of {}", login->player, login_.player);
        login_ = std::move(*login);
        card().player = login_.player;
        if (run_.stopping()) co_return Error{Code::unavailable, "the run is over"};
    }
    if (login_.gateways.empty()) {
        login_.token.clear();
        co_return Error{Code::unavailable, "the login server knows no gateway"};
    }
    auto gateways = choose_gateways();
    const auto first = gateways.front().name;
    auto entered = co_await client_.connect(std::move(gateways), login_.token);
    if (!entered) {
        if (entered.error().code() == Code::unauthenticated) login_.token.clear();
        co_return Error::verbatim(entered.error().code(), first + ": " + entered.error().message());
    }
    if (entered->player != login_.player)
        fail("the gateway let it in as player {} instead of {}", entered->player, login_.player);
    co_return Result<void>{};
}

asio::awaitable<void> Bot::play() {
    const Counted in{run_.statistics.players_in};
    run_.statistics.players_in_most = std::max(run_.statistics.players_in_most, run_.statistics.players_in);
    co_await act();
    if (client_.in_session()) co_await settle();
}

asio::awaitable<void> Bot::act() {
    const Counted acting{run_.acting};
    co_await scenario_->begin();
    card().playing = true;
    const auto interval = run_.options.rate > 0 ? 1.0 / run_.options.rate : 0.0;
    const auto phase = std::chrono::duration<double>{interval * static_cast<double>(random(1000)) / 1000.0};
    next_act_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(phase);
    for (;;) {
        co_await pace();
        if (!playing()) break;
        co_await scenario_->act();
    }
}

asio::awaitable<void> Bot::pace() {
    if (run_.options.rate <= 0) {
        // Lets the others have their turn even when the last action asked nothing.
        co_await asio::post(run_.io, asio::use_awaitable);
        co_return;
    }
    const auto interval =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>{1.0 / run_.options.rate});
    if (playing()) co_await sleep_until(next_act_);
    next_act_ = std::max(next_act_ + interval, Clock::now());
}

asio::awaitable<void> Bot::settle() {
    const auto until = Clock::now() + settle_time_max;
    while (client_.in_session() && Clock::now() < until) {
        if (run_.acting == 0 && scenario_->settled()) break;
        co_await sleep_until(Clock::now() + settle_poll);
    }
}

asio::awaitable<void> Bot::back_off() {
    const auto most = std::min(back_off_max, back_off_first * (1 << std::min(failures_, 10U)));
    ++failures_;
    if (run_.stopping()) co_return;
    const auto delay = client::Duration{static_cast<std::int64_t>(random(static_cast<std::size_t>(most.count())))};
    co_await sleep_until(Clock::now() + delay);
}

asio::awaitable<void> Bot::sleep_until(client::Time time) {
    asio::error_code woken;
    timer_.expires_at(time);
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void Bot::wake() { timer_.cancel(); }

std::size_t Bot::random(std::size_t below) { return std::uniform_int_distribution<std::size_t>{0, below - 1}(random_); }

void Bot::count_request(client::Time started, bool answered) {
    ++run_.statistics.requests;
    if (!answered) return;
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started);
    run_.statistics.latency.record(took);
    run_.statistics.latency_recent.record(took);
    run_.statistics.latency_second.record(took);
}

Refusal Bot::judge(const Error& error, std::string_view doing) {
    const auto code = error.code();
    if (code == Code::limited || code == Code::busy) {
        ++run_.statistics.limited;
        return Refusal::not_done;
    }
    const bool no_answer = code == Code::unavailable || code == Code::deadline;
    if ((no_answer || code == Code::fenced) && survives()) {
        ++run_.statistics.unknown;
        return Refusal::unknown;
    }
    if (no_answer && !client_.connected()) return Refusal::unknown;  // the loss itself is the error
    fail("{}: {}: {}", doing, to_string(code), error.message());
    return Refusal::wrong;
}

void Bot::add_failure(std::string message) {
    run_.statistics.fail(fmt::format("bot {} (player {}): {}", index_, login_.player, message));
}

}  // namespace gs::bots
