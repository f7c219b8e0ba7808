#include "runtime/timers.hpp"

namespace gs::runtime {

TimerId Timers::after(std::string key, Duration delay, Job job) {
    const auto place = by_key_.emplace(std::move(key), TimerId::none);
    place->second = loop_.after(delay, [this, place, job = std::make_unique<Job>(std::move(job))]() mutable {
        const auto kept = std::move(job);
        by_key_.erase(place);
        (*kept)();
    });
    return place->second;
}

void Timers::every(std::string key, Duration period, std::function<void()> job) {
    arm(std::move(key), period, std::make_shared<std::function<void()>>(std::move(job)));
}

void Timers::arm(std::string key, Duration period, std::shared_ptr<std::function<void()>> job) {
    after(key, period, [this, key, period, job] {
        arm(key, period, job);
        (*job)();
    });
}

void Timers::cancel(const std::string& key) {
    const auto [first, last] = by_key_.equal_range(key);
    for (auto place = first; place != last; ++place) loop_.cancel(place->second);
    by_key_.erase(first, last);
}

void Timers::cancel_all() {
    for (const auto& [key, timer] : by_key_) loop_.cancel(timer);
    by_key_.clear();
}

}  // namespace gs::runtime
