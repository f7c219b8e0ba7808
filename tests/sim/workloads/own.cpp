#include "tests/sim/workloads/chat.hpp"
#include "tests/sim/workloads/gold.hpp"
#include "tests/sim/workloads/notes.hpp"
#include "tests/sim/workloads/trade.hpp"

namespace gs::sim {

std::vector<MakeWorkload> own_workloads() {
    return {workload<Gold>(), workload<Notes>(), workload<Look>(), workload<Chat>(), workload<Trade>()};
}

}  // namespace gs::sim
