// gs_sim: the simulation of this repository's own modules; see docs/reliability.md.
#include "tests/sim/command_line.hpp"

int main(int argc, char** argv) { return gs::sim::run(argc, argv, gs::sim::own_workloads()); }
