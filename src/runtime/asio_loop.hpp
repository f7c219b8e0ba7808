#pragma once
// The real loop: one thread over Asio's reactor. Transports reach the io_context through it; nothing else does.
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "runtime/loop.hpp"
#include "runtime/poller.hpp"

namespace gs::runtime {

class AsioLoop final : public Loop {
public:
    AsioLoop(std::string name, std::uint64_t seed);
    ~AsioLoop() override;

    /// Runs turns on the calling thread until stop().
    void run();
    /// Loop: any thread. The turn that runs is finished.
    void stop();

    [[nodiscard]] Time now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] WallTime wall_now() const override { return std::chrono::system_clock::now(); }
    void post(Job job) override;
    [[nodiscard]] bool is_current() const override;

    [[nodiscard]] asio::io_context& io() { return io_; }
    [[nodiscard]] Poller& poller() { return poller_; }

private:
    void earliest_timer_changed() override;
    void run_posted();
    void arm_timer();
    void turn();

    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    asio::steady_timer timer_;
    Poller poller_{io_};
    unsigned hot_turns_ = 0;
    Time timer_armed_for_ = Time::max();
    std::atomic<std::thread::id> thread_{};
    std::atomic<bool> stopping_{false};
    std::vector<Job> local_, running_;
    std::mutex inbox_mutex_;
    std::vector<Job> inbox_;    // guarded by inbox_mutex_; one wake-up for a batch
    bool wake_posted_ = false;  // guarded by inbox_mutex_
};

}  // namespace gs::runtime
