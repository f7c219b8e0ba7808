#include "runtime/loop.hpp"

#include <algorithm>

namespace gs::runtime {

namespace {
constexpr std::size_t look_ahead = 4;
}

void Loop::forget(EndOfTurn& hook) {
    if (!hook.wanted_) return;
    hook.wanted_ = false;
    auto& hooks = hooks_of(hook);
    std::replace(hooks.begin(), hooks.end(), &hook, static_cast<EndOfTurn*>(nullptr));
    std::replace(running_.begin(), running_.end(), &hook, static_cast<EndOfTurn*>(nullptr));
}

TimerId Loop::after(Duration delay, Job job) {
    const auto id = next_timer_++;
    const auto time = now() + std::max(delay, Duration{0});
    const auto place = timers_.emplace(std::pair{time, id}, std::move(job)).first;
    timer_times_.emplace(id, time);
    if (place == timers_.begin()) earliest_timer_changed();
    return TimerId{id};
}

void Loop::cancel(TimerId timer) {
    const auto known = timer_times_.find(static_cast<std::uint64_t>(timer));
    if (known == timer_times_.end()) return;
    timers_.erase({known->second, known->first});
    timer_times_.erase(known);
}

std::size_t Loop::run_due_timers() {
    std::size_t ran = 0;
    const auto until = now();
    // A timer set by a timer for "now" waits for the next turn, so that a loop of them cannot starve the rest.
    const auto last = next_timer_;
    while (!timers_.empty()) {
        const auto first = timers_.begin();
        if (first->first.first > until || first->first.second >= last) break;
        auto job = std::move(first->second);
        timer_times_.erase(first->first.second);
        timers_.erase(first);
        job();
        ++ran;
    }
    return ran;
}

void Loop::run_hooks() {
    // A send may ask for deliveries (one that fails tells a role): those run too, before the loop sleeps.
    for (std::size_t sent = 0;;) {
        if (!deliveries_.empty()) {
            run_deliveries();
            continue;
        }
        if (next_send_ == sends_.size() || sent == sends_per_turn_max) break;
        // Of a broadcast to many, most are not in the processor's cache any more.
        if (next_send_ + look_ahead < sends_.size()) __builtin_prefetch(sends_[next_send_ + look_ahead]);
        auto* hook = sends_[next_send_++];
        if (hook == nullptr) continue;
        hook->wanted_ = false;
        hook->end_of_turn();
        ++sent;
    }
    if (next_send_ == sends_.size() || next_send_ >= 4 * sends_per_turn_max) {
        sends_.erase(sends_.begin(), sends_.begin() + static_cast<std::ptrdiff_t>(next_send_));
        next_send_ = 0;
    }
    ++turns_;
}

void Loop::run_deliveries() {
    running_.swap(deliveries_);
    for (std::size_t index = 0; index < running_.size(); ++index) {
        auto* hook = running_[index];
        if (hook == nullptr) continue;
        hook->wanted_ = false;
        hook->end_of_turn();
    }
    running_.clear();
}

}  // namespace gs::runtime
