// What the load generator measures with: the servers' CPU clocks and the distribution of round trips.
#pragma once

#include "options.hpp"

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace gs::bench {

using Clock = std::chrono::steady_clock;

// CPU time of all threads of the processes, those that ended included. Units: nanoseconds
class CpuClocks {
public:
    explicit CpuClocks(const std::string& pids) {
        for (std::size_t at = 0; at < pids.size();) {
            const auto comma = std::min(pids.find(',', at), pids.size());
            const auto pid = static_cast<pid_t>(std::atoi(pids.substr(at, comma - at).c_str()));
            clockid_t clock{};
            if (clock_getcpuclockid(pid, &clock) != 0) {
                fail("no process " + pids.substr(at, comma - at));
            }
            clocks_.push_back(clock);
            at = comma + 1;
        }
    }
    std::int64_t now() const {
        std::int64_t sum = 0;
        for (const auto clock : clocks_) {
            timespec time{};
            if (clock_gettime(clock, &time) != 0) {
                fail("a server process ended during the measurement");
            }
            sum += std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
        }
        return sum;
    }

private:
    std::vector<clockid_t> clocks_;
};

// Round trips in steps of 1 microsecond up to 1 second.
class RoundTrips {
public:
    void add(Clock::duration time) {
        const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
        ++counts_[static_cast<std::size_t>(std::clamp<std::int64_t>(micros, 0, std::int64_t(counts_.size()) - 1))];
        ++total_;
    }
    std::size_t quantile(double part) const {
        auto left = static_cast<std::uint64_t>(part * static_cast<double>(total_));
        for (std::size_t micros = 0; micros < counts_.size(); ++micros) {
            if (counts_[micros] > left) {
                return micros;
            }
            left -= counts_[micros];
        }
        return 0;
    }
    void clear() {
        std::fill(counts_.begin(), counts_.end(), 0);
        total_ = 0;
    }

private:
    std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(1'000'000);
    std::uint64_t total_ = 0;
};

}  // namespace gs::bench
