#pragma once
// Timers of one owner, grouped by key: one key can own many, and cancel(key) cancels them all. Destroying the group
// cancels everything, so no timer outlives what it points at. Loop: the owner's. Errors: what a job throws is logged.
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "runtime/loop.hpp"
#include "runtime/task.hpp"

namespace gs::runtime {

class Timers {
public:
    explicit Timers(Loop& loop) : loop_{loop} {}
    Timers(const Timers&) = delete;
    Timers& operator=(const Timers&) = delete;
    ~Timers() { cancel_all(); }

    TimerId after(std::string key, Duration delay, Job job);
    /// Runs `job` every `period`, the first time one period from now, until its key is cancelled. Errors: internal: the
    /// period is nothing, as seconds{1} / 20 is.
    void every(std::string key, Duration period, std::function<void()> job);
    void cancel(const std::string& key);
    void cancel_all();
    [[nodiscard]] std::size_t count(const std::string& key) const { return by_key_.count(key); }

private:
    void arm(std::string key, Duration period, std::shared_ptr<std::function<void()>> job);

    Loop& loop_;
    std::multimap<std::string, TimerId> by_key_;
};

/// `co_await sleep(loop, 50ms);`
class Sleep {
public:
    Sleep(Loop& loop, Duration delay) : loop_{loop}, delay_{delay} {}
    Sleep(const Sleep&) = delete;
    Sleep& operator=(const Sleep&) = delete;
    ~Sleep() { loop_.cancel(timer_); }
    [[nodiscard]] bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        waiter_.suspend(handle);
        timer_ = loop_.after(delay_, [this] { waiter_.resume(); });
    }
    void await_resume() const {}

private:
    Loop& loop_;
    Duration delay_;
    TimerId timer_{};
    Waiter waiter_;
};

[[nodiscard]] inline Sleep sleep(Loop& loop, Duration delay) { return {loop, delay}; }

}  // namespace gs::runtime
