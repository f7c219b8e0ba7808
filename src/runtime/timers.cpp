#include "runtime/timers.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

namespace gs::runtime {

TimerId Timers::after(std::string key, Duration delay, Job job) {
    const auto place = by_key_.emplace(std::move(key), TimerId::none);
    place->second = loop_.after(delay, [this, place, job = std::make_unique<Job>(std::move(job))]() mutable {
        const auto kept = std::move(job);
        const auto timer = by_key_.extract(place);
        try {
            (*kept)();
        } catch (const std::exception& error) {
            log::error("the timer \"{}\" failed: {}", timer.key(), error.what());
        }
    });
    return place->second;
}

void Timers::every(std::string key, Duration period, std::function<void()> job) {
    if (period <= Duration::zero())
        throw Error{Code::internal, "the timer \"{}\" is to run every {} ns; it would never let go", key,
                    period.count()};
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
