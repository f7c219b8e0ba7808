#pragma once
// Storage without a disk: everything lives in maps and is gone with the process. For tests, the simulator, diskless
// mode.
#include <memory>

#include "storage/engine.hpp"

namespace gs::storage {

[[nodiscard]] std::unique_ptr<Engine> make_memory_engine();

}  // namespace gs::storage
