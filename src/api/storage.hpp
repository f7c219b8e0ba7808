#pragma once
// For roles that store or that host entities.
#include "entity/persistence.hpp"
#include "storage/committer.hpp"
#include "storage/memory/memory_engine.hpp"
#include "storage/operations.hpp"
#include "storage/sqlite/sqlite_engine.hpp"
