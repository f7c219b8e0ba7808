#include "client/bots/statistics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace gs::bots {

using std::chrono::microseconds;

void Histogram::record(microseconds duration) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
    // Below `steps` the value is the bucket; above, the leading bit and the four after it.
    std::size_t bucket = value;
    if (value >= steps) {
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - 5;
        bucket = (shift + 1) * steps + (value >> shift) - steps;
    }
    ++buckets_[std::min(bucket, buckets_.size() - 1)];
    ++count_;
    longest_ = std::max(longest_, duration);
}

microseconds Histogram::percentile(double share) const {
    auto left = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    if (left == 0) return microseconds{0};
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
        if (buckets_[bucket] < left) {
            left -= buckets_[bucket];
            continue;
        }
        if (bucket < steps) return microseconds{static_cast<std::int64_t>(bucket)};
        const auto shift = bucket / steps - 1;
        const auto upper = ((bucket % steps + steps + 1) << shift) - 1;
        return std::min(longest_, microseconds{static_cast<std::int64_t>(upper)});
    }
    return longest_;
}

void Statistics::fail(std::string message) {
    ++errors;
    if (first_errors.size() < first_errors_max) first_errors.push_back(std::move(message));
}

void Statistics::end_second(std::chrono::system_clock::time_point now) {
    seconds.push_back({now, latency_second.count(), latency_second.percentile(0.99)});
    if (seconds.size() > seconds_max) seconds.pop_front();
    latency_second.clear();
}

}  // namespace gs::bots
