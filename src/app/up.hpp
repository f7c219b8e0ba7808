#pragma once
// `gameserver up FILE`: every node of a cluster file as a child process. Their logs come with the node's name in front;
// one that dies is started again with backoff, unless it says that its config is wrong; Ctrl-C stops them in order, so
// that games can still save.
#include <string>
#include <vector>

#include "app/run.hpp"

namespace gs::app {

[[nodiscard]] int run_cluster(const RunOptions& options, const std::vector<std::string>& forwarded);

}  // namespace gs::app
