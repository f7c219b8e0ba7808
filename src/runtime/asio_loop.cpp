#include "runtime/asio_loop.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <utility>

namespace gs::runtime {

namespace {
// While sockets keep being ready the reactor itself (timers, wake-ups) is asked every so many turns.
constexpr unsigned hot_turns_max = 8;
}  // namespace

AsioLoop::AsioLoop(std::string name, std::uint64_t seed)
    : Loop{std::move(name), seed}, io_{1}, work_{asio::make_work_guard(io_)}, timer_{io_} {}

AsioLoop::~AsioLoop() {
    drop_timers();
    poller_.clear();
    // Destroying a job may post another one.
    while (!local_.empty()) std::exchange(local_, {});
}

bool AsioLoop::is_current() const { return std::this_thread::get_id() == thread_.load(std::memory_order_relaxed); }

void AsioLoop::post(Job job) {
    if (is_current()) {
        local_.push_back(std::move(job));
        return;
    }
    const std::lock_guard lock{inbox_mutex_};
    inbox_.push_back(std::move(job));
    if (wake_posted_) return;
    wake_posted_ = true;
    asio::post(io_, [] {});  // only wakes the reactor; the turn takes the inbox
}

void AsioLoop::run_posted() {
    {
        const std::lock_guard lock{inbox_mutex_};
        wake_posted_ = false;
        if (!inbox_.empty()) {
            for (auto& job : inbox_) local_.push_back(std::move(job));
            inbox_.clear();
        }
    }
    running_.swap(local_);
    for (auto& job : running_) job();
    running_.clear();
}

void AsioLoop::run() {
    thread_ = std::this_thread::get_id();
    arm_timer();
    poller_.arm();
    while (!stopping_.load(std::memory_order_acquire)) turn();
    run_posted();
    run_hooks();
    thread_ = std::thread::id{};
}

void AsioLoop::turn() {
    if (poller_.is_hot() && ++hot_turns_ % hot_turns_max != 0) {
        poller_.poll();
    } else if (poller_.is_hot() || !local_.empty() || has_hooks()) {
        io_.poll_one();
        if (poller_.is_hot()) poller_.poll();
    } else {
        io_.run_one();
    }
    run_posted();
    run_hooks();
}

void AsioLoop::stop() {
    stopping_.store(true, std::memory_order_release);
    asio::post(io_, [] {});
}

void AsioLoop::earliest_timer_changed() {
    if (thread_.load() != std::thread::id{}) arm_timer();
}

void AsioLoop::arm_timer() {
    if (!has_timers()) return;
    const auto time = earliest_timer();
    if (time >= timer_armed_for_) return;
    timer_armed_for_ = time;
    timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(time));
    timer_.async_wait([this](const asio::error_code& error) {
        if (error) return;  // armed again for an earlier time
        timer_armed_for_ = Time::max();
        run_due_timers();
        arm_timer();
    });
}

}  // namespace gs::runtime
