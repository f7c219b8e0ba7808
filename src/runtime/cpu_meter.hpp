#pragma once
// How busy this process is, of what so many threads could do. Loop: any, one at a time. Source: clock_gettime(2).
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace gs::runtime {

class CpuMeter {
public:
    explicit CpuMeter(std::size_t threads);
    /// Percent since the last call, 0 to 100.
    [[nodiscard]] std::uint32_t percent();

private:
    std::size_t threads_;
    std::chrono::nanoseconds used_;
    std::chrono::steady_clock::time_point since_;
};

}  // namespace gs::runtime
