#pragma once
// A Loop runs jobs one after another on one thread: the real one over a reactor, the virtual one in tests and in the
// simulator on virtual time. Everything that a role does happens on its loop, so role code needs no mutex.
// A turn: what was ready and due, then posted jobs, then the end-of-turn hooks, which send what was gathered, then some
// of what is in the background.
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "runtime/job.hpp"

namespace gs::runtime {

using Duration = std::chrono::nanoseconds;
/// Monotonic; only differences mean something.
using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// The calendar: for tokens and logs. May jump.
using WallTime = std::chrono::system_clock::time_point;

enum class TimerId : std::uint64_t { none = 0 };

/// Called once at the end of a turn in which it was asked for. First messages between roles are delivered, until there
/// are none; then what all of that has written is sent, so that it leaves together. When very much is to be sent
/// (a broadcast), some of it waits for the next turns, where what has come meanwhile joins it.
/// Owner: the implementer, who outlives the turn or calls Loop::forget.
class EndOfTurn {
public:
    enum class Phase : std::uint8_t { deliver, send };
    virtual void end_of_turn() = 0;

protected:
    explicit EndOfTurn(Phase phase) : phase_{phase} {}
    ~EndOfTurn() = default;

private:
    friend class Loop;
    const Phase phase_;
    bool wanted_ = false;
};

class Loop {
public:
    virtual ~Loop() = default;
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    [[nodiscard]] virtual Time now() const = 0;
    [[nodiscard]] virtual WallTime wall_now() const = 0;
    /// Queues a job for this loop. Loop: any thread. Jobs of one thread run in the order of their posting.
    virtual void post(Job job) = 0;
    [[nodiscard]] virtual bool is_current() const = 0;
    [[nodiscard]] const std::string& name() const { return name_; }

    /// Asks for `hook` at the end of this turn; asking twice calls it once. Loop: this.
    void at_end_of_turn(EndOfTurn& hook) {
        if (hook.wanted_) return;
        hook.wanted_ = true;
        hooks_of(hook).push_back(&hook);
    }
    void forget(EndOfTurn& hook);

    /// Runs `job` once, `delay` from now. Loop: this.
    TimerId after(Duration delay, Job job);
    void cancel(TimerId timer);

    static constexpr std::size_t sends_per_turn_max = 256;
    /// How many turns have ended.
    [[nodiscard]] std::uint64_t turns() const { return turns_; }

    /// Seeded once for the loop; the simulator replays it. Loop: this.
    [[nodiscard]] std::mt19937_64& random() { return random_; }

protected:
    Loop(std::string name, std::uint64_t seed) : name_{std::move(name)}, random_{seed} {}

    virtual void earliest_timer_changed() {}
    [[nodiscard]] bool has_timers() const { return !timers_.empty(); }
    [[nodiscard]] Time earliest_timer() const { return timers_.begin()->first.first; }
    [[nodiscard]] bool has_hooks() const { return !deliveries_.empty() || next_send_ < sends_.size(); }
    /// Runs the timers that are due; returns how many.
    std::size_t run_due_timers();
    void run_hooks();
    void drop_timers() { timers_.clear(); }

private:
    [[nodiscard]] std::vector<EndOfTurn*>& hooks_of(const EndOfTurn& hook) {
        return hook.phase_ == EndOfTurn::Phase::deliver ? deliveries_ : sends_;
    }
    void run_deliveries();

    std::string name_;
    std::mt19937_64 random_;
    std::vector<EndOfTurn*> deliveries_, sends_, running_;
    std::size_t next_send_ = 0;  // in sends_; those before it are done
    // Ordered by time, then by order of asking, so that a replay fires them in the same order.
    std::map<std::pair<Time, std::uint64_t>, Job> timers_;
    std::map<std::uint64_t, Time> timer_times_;
    std::uint64_t next_timer_ = 1;
    std::uint64_t turns_ = 0;
};

}  // namespace gs::runtime
