#include "runtime/cpu_meter.hpp"

#include <ctime>

#include <algorithm>

namespace gs::runtime {

namespace {
std::chrono::nanoseconds process_time() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}
}  // namespace

CpuMeter::CpuMeter(std::size_t threads)
    : threads_{std::max<std::size_t>(1, threads)}, used_{process_time()}, since_{std::chrono::steady_clock::now()} {}

std::uint32_t CpuMeter::percent() {
    const auto used = process_time();
    const auto now = std::chrono::steady_clock::now();
    const auto could = (now - since_) * threads_;
    const auto share = could.count() == 0 ? 0 : 100 * (used - used_).count() / could.count();
    used_ = used;
    since_ = now;
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(share, 0, 100));
}

}  // namespace gs::runtime
