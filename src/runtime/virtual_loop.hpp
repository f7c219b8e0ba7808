#pragma once
// Loops on virtual time for tests and the simulator: one thread, one clock, jobs in a fixed order, time moves only when
// nothing is left to do.
#include <deque>
#include <functional>
#include <memory>

#include "runtime/loop.hpp"

namespace gs::runtime {

class VirtualLoop;

/// The clock and the schedule that several virtual loops share. Owner: outlives its loops.
class VirtualTime {
public:
    explicit VirtualTime(std::uint64_t seed = 1) : seed_{seed} {}

    [[nodiscard]] Time now() const { return now_; }
    [[nodiscard]] WallTime wall_now() const { return wall_; }
    /// The calendar jumps for everyone; monotonic time does not.
    void jump_wall(Duration by) { wall_ += std::chrono::duration_cast<WallTime::duration>(by); }

    /// Runs everything that is due, without moving time.
    void settle();
    /// Runs all that happens within `duration`.
    void advance(Duration duration);
    /// Moves time from event to event until `condition` holds; false if it did not within `limit`.
    bool run_until(const std::function<bool()>& condition, Duration limit);

private:
    friend class VirtualLoop;
    bool step();
    [[nodiscard]] bool next_event(Time& time) const;

    std::uint64_t seed_;
    Time now_{};
    WallTime wall_{std::chrono::seconds{1'900'000'000}};
    std::vector<VirtualLoop*> loops_;
};

class VirtualLoop final : public Loop {
public:
    VirtualLoop(VirtualTime& time, std::string name);
    ~VirtualLoop() override;

    [[nodiscard]] Time now() const override { return time_.now_; }
    [[nodiscard]] WallTime wall_now() const override { return time_.wall_ + wall_offset_; }
    void post(Job job) override { jobs_.push_back(std::move(job)); }
    [[nodiscard]] bool is_current() const override { return true; }

    /// As SIGSTOP does: nothing runs, what arrives waits, and everything that is due by then runs at the end of it.
    void set_paused(bool paused) { paused_ = paused; }
    [[nodiscard]] bool is_paused() const { return paused_; }
    /// The calendar of this loop alone, against that of VirtualTime.
    void set_wall_offset(Duration offset) { wall_offset_ = std::chrono::duration_cast<WallTime::duration>(offset); }

private:
    friend class VirtualTime;
    bool run_turn();

    VirtualTime& time_;
    std::deque<Job> jobs_;
    bool paused_ = false;
    WallTime::duration wall_offset_{};
};

}  // namespace gs::runtime
