#pragma once
// What all bots together did: counters, latencies, the first errors. Loop: the bots' own.
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace gs::bots {

/// Counts durations in buckets that are at most 1/16 wide, so that a percentile is off by 6 % at most.
class Histogram {
public:
    void record(std::chrono::microseconds duration);
    /// The duration that `share` (0 to 1) of all recorded ones do not exceed; zero when nothing was recorded.
    [[nodiscard]] std::chrono::microseconds percentile(double share) const;
    [[nodiscard]] std::chrono::microseconds longest() const { return longest_; }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    void clear() { *this = Histogram{}; }

private:
    static constexpr unsigned steps = 16;  // of each power of two
    std::array<std::uint64_t, 40 * steps> buckets_{};
    std::uint64_t count_ = 0;
    std::chrono::microseconds longest_{0};
};

/// One second of a run.
struct Second {
    std::chrono::system_clock::time_point end;
    std::uint64_t answered = 0;
    std::chrono::microseconds p99{0};
};

struct Statistics {
    std::size_t players_in = 0;       ///< now
    std::size_t players_in_most = 0;  ///< at once
    std::uint64_t requests = 0, pushes = 0;
    std::uint64_t limited = 0;           ///< refused because of a rate limit or a bound
    std::uint64_t unknown = 0;           ///< without an answer, in a run with `survive`
    std::uint64_t reconnects = 0;        ///< new sessions after one that was over
    std::uint64_t resumes = 0;           ///< without a gap
    std::uint64_t resumed_with_gap = 0;  ///< servers were lost
    std::uint64_t gaps = 0;              ///< holes in the lines of a channel, in a run with `survive`
    std::uint64_t errors = 0;
    std::vector<std::string> first_errors;
    Histogram latency;         ///< of requests that were answered
    Histogram latency_recent;  ///< since the progress was last shown
    Histogram latency_second;  ///< since the last of `seconds`
    std::deque<Second> seconds;
    Histogram resume_time;  ///< from the loss to the resumed session, with or without a gap

    static constexpr std::size_t first_errors_max = 10, seconds_max = 3600;
    void fail(std::string message);
    /// A second has passed.
    void end_second(std::chrono::system_clock::time_point now);
};

}  // namespace gs::bots
