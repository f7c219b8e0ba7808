#pragma once
// The draws of one part of a simulation. Each part has a stream of its own, so that a change in one of them does not
// shift the draws of the others.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "runtime/loop.hpp"

namespace gs::sim {

class Random {
public:
    Random(std::uint64_t seed, std::string_view part) : state_{seed} {
        for (const auto letter : part) state_ = (state_ ^ static_cast<unsigned char>(letter)) * 0x100000001b3U + 1;
    }

    /// Source: Vigna, splitmix64.
    [[nodiscard]] std::uint64_t next() {
        auto mixed = state_ += 0x9e3779b97f4a7c15U;
        mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
        return mixed ^ (mixed >> 31U);
    }
    [[nodiscard]] double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
    [[nodiscard]] bool chance(double probability) { return unit() < probability; }
    /// Both ends included.
    [[nodiscard]] std::uint64_t between(std::uint64_t least, std::uint64_t most) {
        return least + next() % (most - least + 1);
    }
    [[nodiscard]] runtime::Duration between(runtime::Duration least, runtime::Duration most) {
        return runtime::Duration{static_cast<std::int64_t>(
            between(static_cast<std::uint64_t>(least.count()), static_cast<std::uint64_t>(most.count())))};
    }
    /// Mostly short, now and then many times the mean: what networks and disks do.
    [[nodiscard]] runtime::Duration exponential(runtime::Duration mean) {
        return runtime::Duration{static_cast<std::int64_t>(-std::log1p(-unit()) * static_cast<double>(mean.count()))};
    }
    /// Every order of magnitude is as likely as the next one.
    [[nodiscard]] runtime::Duration over_magnitudes(runtime::Duration least, runtime::Duration most) {
        const auto from = std::log(static_cast<double>(least.count()));
        const auto to = std::log(static_cast<double>(most.count()));
        return runtime::Duration{static_cast<std::int64_t>(std::exp(from + unit() * (to - from)))};
    }
    template <class T>
    [[nodiscard]] const T& pick(const std::vector<T>& from) {
        return from[next() % from.size()];
    }

private:
    std::uint64_t state_;
};

}  // namespace gs::sim
