#pragma once
// The real loop: one thread that waits for files and timers and runs what is due.
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/loop.hpp"
#include "runtime/poller.hpp"

namespace gs::runtime {

class EpollLoop final : public Loop {
public:
    EpollLoop(std::string name, std::uint64_t seed);
    ~EpollLoop() override;

    /// Runs turns on the calling thread until stop().
    void run();
    /// Loop: any thread. The turn that runs is finished.
    void stop();

    [[nodiscard]] Time now() const override { return std::chrono::steady_clock::now(); }
    [[nodiscard]] WallTime wall_now() const override { return std::chrono::system_clock::now(); }
    void post(Job job) override;
    [[nodiscard]] bool is_current() const override;

    [[nodiscard]] Poller& poller() { return poller_; }

private:
    class Wake;

    [[nodiscard]] int milliseconds_to_wait() const;
    void run_posted();
    void turn();

    Poller poller_;
    std::shared_ptr<Wake> wake_;
    std::atomic<std::thread::id> thread_{};
    std::atomic<bool> stopping_{false};
    std::vector<Job> local_, running_;
    std::mutex inbox_mutex_;
    std::vector<Job> inbox_;              // guarded by inbox_mutex_; one wake-up for a batch
    std::atomic<bool> has_inbox_{false};  // written under inbox_mutex_
};

}  // namespace gs::runtime
