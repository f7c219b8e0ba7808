#include "client/bots/run.hpp"

#include <unistd.h>

#include <csignal>

#include <asio/co_spawn.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include "client/bots/bot.hpp"
#include "client/bots/progress.hpp"

namespace gs::bots {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t login_threads = 8;
constexpr auto ledger_period = 100ms;  // others watch it
constexpr auto stop_time_max = 20s;

std::string random_name() {
    const auto now = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    std::string name;
    for (auto left = (now / 1'000'000 * 40'503 + static_cast<std::uint64_t>(::getpid())) % 2'176'782'336;
         name.size() < 6; left /= 36) {
        name += "0123456789abcdefghijklmnopqrstuvwxyz"[left % 36];
    }
    return name;
}

}  // namespace

/// The timers and signals of a run; the run ends when they and the bots have ended.
class Run::Clockwork {
public:
    explicit Clockwork(Run& run) : run_{run}, progress_{run} {
        end_.expires_after(run.ramp_time() + run.options.time);
        end_.async_wait([this](const asio::error_code& error) {
            if (!error) run_.stop();
        });
        wait_signal();
        tick_progress();
        tick_ledger();
        tick_second();
    }

    void stopping() {
        end_.expires_after(stop_time_max);
        end_.async_wait([this](const asio::error_code& error) {
            if (error || finished_) return;
            run_.statistics.fail(fmt::format("{} bots did not come to an end within {} s", run_.left_,
                                             std::chrono::seconds{stop_time_max}.count()));
            run_.io.stop();
        });
    }
    void finish() {
        finished_ = true;  // a timer that has run out already cannot be cancelled any more
        end_.cancel();
        progress_timer_.cancel();
        ledger_timer_.cancel();
        second_timer_.cancel();
        signals_.cancel();
        progress_.finish();
    }

private:
    void wait_signal() {
        signals_.async_wait([this](const asio::error_code& error, int /*signal*/) {
            if (error || finished_) return;
            run_.interrupted_ = true;
            if (run_.stopping_) {
                run_.io.stop();
            } else {
                run_.stop();
                wait_signal();
            }
        });
    }
    void tick_progress() {
        progress_timer_.expires_after(progress_.period());
        progress_timer_.async_wait([this](const asio::error_code& error) {
            if (error || finished_) return;
            progress_.show();
            tick_progress();
        });
    }
    void tick_ledger() {
        ledger_timer_.expires_after(ledger_period);
        ledger_timer_.async_wait([this](const asio::error_code& error) {
            if (error || finished_) return;
            run_.ledger.flush();
            tick_ledger();
        });
    }
    void tick_second() {
        second_timer_.expires_after(1s);
        second_timer_.async_wait([this](const asio::error_code& error) {
            if (error || finished_) return;
            run_.statistics.end_second(std::chrono::system_clock::now());
            tick_second();
        });
    }

    Run& run_;
    Progress progress_;
    bool finished_ = false;
    asio::signal_set signals_{run_.io, SIGINT, SIGTERM};
    asio::steady_timer end_{run_.io}, progress_timer_{run_.io}, ledger_timer_{run_.io}, second_timer_{run_.io};
};

Run::Run(const BotOptions& run_options)
    : options{run_options}, name{random_name()}, cards(options.count), ledger{options.ledger_file} {
    logins.emplace(io, options.login, options.login_ca, login_threads);
    for (std::size_t i = 0; i < options.count; ++i) bots_.push_back(std::make_unique<Bot>(*this, i));
}

Run::~Run() = default;

std::chrono::milliseconds Run::ramp_time() const {
    if (options.ramp <= 0) return 0ms;
    return std::chrono::milliseconds{
        static_cast<std::int64_t>(1000.0 * static_cast<double>(options.count) / options.ramp)};
}

std::chrono::milliseconds Run::elapsed() const {
    const auto until = stopping_ ? ended_ : std::chrono::steady_clock::now();
    return std::chrono::duration_cast<std::chrono::milliseconds>(until - started_);
}

void Run::play() {
    started_ = std::chrono::steady_clock::now();
    left_ = bots_.size();
    clockwork_ = std::make_unique<Clockwork>(*this);
    for (std::size_t i = 0; i < bots_.size(); ++i) {
        asio::co_spawn(io, bots_[i]->live(), [this, i](const std::exception_ptr& failure) { bot_done(i, failure); });
    }
    io.run();
    logins.reset();
    ledger.sync();
}

void Run::stop() {
    if (stopping_) return;
    stopping_ = true;
    ended_ = std::chrono::steady_clock::now();
    logins->drop_waiting();
    clockwork_->stopping();
    for (const auto& bot : bots_) bot->wake();
}

void Run::bot_done(std::size_t index, const std::exception_ptr& failure) {
    if (failure) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& thrown) {
            statistics.fail(fmt::format("bot {} stopped: {}", index, thrown.what()));
        }
    }
    if (--left_ > 0) return;
    stop();
    clockwork_->finish();
}

}  // namespace gs::bots
