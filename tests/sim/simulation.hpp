#pragma once
// One seed: a cluster, clients and faults that are all drawn from it, in two phases. First faults, while nothing unsafe
// may happen; then none, and everything that waits must finish in bounded time. The same seed gives the same run.
#include "tests/sim/workload.hpp"

namespace gs::sim {

struct Options {
    bool print_trace = false;
    bool print_log = false;  ///< of the product, to standard error
};

struct Outcome {
    std::string violation;  ///< empty: every invariant held
    std::string last_events;
    std::string plan;  ///< what was drawn, in a line
    std::uint64_t hash = 0, events = 0, commits = 0;
    double virtual_seconds = 0;
};

[[nodiscard]] Outcome simulate(std::uint64_t seed, Options options = {},
                               const std::vector<MakeWorkload>& workloads = own_workloads());

}  // namespace gs::sim
