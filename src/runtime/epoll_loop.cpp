#include "runtime/epoll_loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace gs::runtime {

namespace {
// What a turn becomes longer by: short beside a network, long beside the two system calls that it costs.
constexpr auto background_time = std::chrono::microseconds{50};
}  // namespace

/// Ends the wait of a loop from another thread.
class EpollLoop::Wake final : public Pollable {
public:
    Wake() : file_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
        if (file_ < 0) throw Error{Code::internal, "a loop cannot be woken: {}", std::strerror(errno)};
    }
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;
    ~Wake() { ::close(file_); }

    [[nodiscard]] int file() const { return file_; }
    void ring() const { static_cast<void>(::eventfd_write(file_, 1)); }
    void on_ready(bool /*readable*/, bool /*writable*/) override {
        eventfd_t rung = 0;
        static_cast<void>(::eventfd_read(file_, &rung));
    }

private:
    int file_;
};

EpollLoop::EpollLoop(std::string name, std::uint64_t seed)
    : Loop{std::move(name), seed}, wake_{std::make_shared<Wake>()} {
    poller_.add(wake_->file(), wake_, true, false);
}

EpollLoop::~EpollLoop() {
    drop_timers();
    poller_.clear();
    // Destroying a job may post another one.
    while (!local_.empty()) std::exchange(local_, {});
}

bool EpollLoop::is_current() const { return std::this_thread::get_id() == thread_.load(std::memory_order_relaxed); }

void EpollLoop::post(Job job) {
    if (is_current()) {
        local_.push_back(std::move(job));
        return;
    }
    // Rung without the lock, for which the woken loop would wait; the job may be the end of this loop by then.
    std::shared_ptr<Wake> wake;
    {
        const std::lock_guard lock{inbox_mutex_};
        inbox_.push_back(std::move(job));
        if (!has_inbox_.exchange(true)) wake = wake_;
    }
    if (wake != nullptr) wake->ring();
}

void EpollLoop::run_posted() {
    if (has_inbox_.load(std::memory_order_acquire)) {
        const std::lock_guard lock{inbox_mutex_};
        has_inbox_.store(false);
        for (auto& job : inbox_) local_.push_back(std::move(job));
        inbox_.clear();
    }
    running_.swap(local_);
    for (auto& job : running_) job();
    running_.clear();
}

void EpollLoop::run() {
    thread_ = std::this_thread::get_id();
    while (!stopping_.load(std::memory_order_acquire)) turn();
    run_posted();
    do {
        run_hooks();
    } while (has_hooks());
    thread_ = std::thread::id{};
}

/// Rounded up: a timer never fires early.
int EpollLoop::milliseconds_to_wait() const {
    if (!local_.empty() || has_hooks() || poller_.has_background()) return 0;
    if (!has_timers()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(earliest_timer() - now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void EpollLoop::turn() {
    poller_.wait(milliseconds_to_wait());
    run_due_timers();
    run_posted();
    run_hooks();
    poller_.serve_background(background_time);
}

void EpollLoop::stop() {
    stopping_.store(true, std::memory_order_release);
    wake_->ring();
}

}  // namespace gs::runtime
