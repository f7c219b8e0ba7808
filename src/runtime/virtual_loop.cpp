#include "runtime/virtual_loop.hpp"

#include <algorithm>

namespace gs::runtime {

bool VirtualTime::step() {
    bool worked = false;
    for (std::size_t index = 0; index < loops_.size(); ++index) worked |= loops_[index]->run_turn();
    return worked;
}

void VirtualTime::settle() {
    while (step()) {
    }
}

bool VirtualTime::next_event(Time& time) const {
    bool found = false;
    for (const auto* loop : loops_) {
        if (loop->paused_ || !loop->has_timers()) continue;
        time = found ? std::min(time, loop->earliest_timer()) : loop->earliest_timer();
        found = true;
    }
    return found;
}

void VirtualTime::advance(Duration duration) {
    const auto until = now_ + duration;
    run_until([] { return false; }, duration);
    if (until > now_) {
        wall_ += std::chrono::duration_cast<WallTime::duration>(until - now_);
        now_ = until;
    }
    settle();
}

bool VirtualTime::run_until(const std::function<bool()>& condition, Duration limit) {
    const auto until = now_ + limit;
    for (;;) {
        if (condition()) return true;
        if (step()) continue;
        Time next{};
        if (!next_event(next) || next > until) return condition();
        if (next > now_) {
            wall_ += std::chrono::duration_cast<WallTime::duration>(next - now_);
            now_ = next;
        }
    }
}

VirtualLoop::VirtualLoop(VirtualTime& time, std::string name)
    : Loop{std::move(name), time.seed_ * 1'000'003 + time.loops_.size()}, time_{time} {
    time_.loops_.push_back(this);
}

VirtualLoop::~VirtualLoop() {
    drop_timers();
    std::erase(time_.loops_, this);
}

bool VirtualLoop::run_turn() {
    if (paused_) return false;
    bool worked = run_due_timers() > 0;
    for (auto count = jobs_.size(); count > 0; --count) {
        auto job = std::move(jobs_.front());
        jobs_.pop_front();
        job();
        worked = true;
    }
    worked |= has_hooks();
    run_hooks();
    return worked;
}

}  // namespace gs::runtime
