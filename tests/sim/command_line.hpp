#pragma once
// The program gs_sim, for a main() of its own with other workloads. Exit codes: 0 all held, 1 a violation, 2 wrong use.
#include "tests/sim/workload.hpp"

namespace gs::sim {

[[nodiscard]] int run(int argc, char** argv, std::vector<MakeWorkload> workloads);

}  // namespace gs::sim
