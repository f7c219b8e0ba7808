#pragma once
// Storage in one SQLite file (WAL, synchronous FULL): the engine of the single host.
// Tables: entity, component, record; ids are 64-bit patterns, shown by SQL clients as signed numbers. One server
// process at a time (`<path>.lock`); `sqlite3 -readonly <path>` and its `.backup` may be used while the server runs.
// Errors of opening: `unavailable`, with a text for the operator: in use, directory missing or not writable, not a
// database, of a newer server, disk full.
#include <memory>
#include <string>

#include "base/result.hpp"
#include "storage/engine.hpp"

namespace gs::storage {

[[nodiscard]] Result<std::unique_ptr<Engine>> open_sqlite_engine(const std::string& path);

}  // namespace gs::storage
