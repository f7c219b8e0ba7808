#pragma once
// All that a role needs. A role is an actor: built before the loops run, started and stopped as a task on its own loop.
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "api/message.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/planted.hpp"
#include "base/settings.hpp"
#include "cluster/bus.hpp"
#include "runtime/memory_meter.hpp"
#include "runtime/pool.hpp"
#include "runtime/timers.hpp"
#include "storage/engine.hpp"
#include "transport/layer.hpp"

namespace gs {

struct ModuleInfo;

/// A disk that the world gives to the storage role in place of the configured engine (the simulator).
class DiskWorld {
public:
    virtual ~DiskWorld() = default;
    [[nodiscard]] virtual std::unique_ptr<storage::Engine> open() = 0;
    /// When a transaction that begins now runs and is done; on that loop, so that it ends with it.
    virtual void pace(runtime::Loop& loop, runtime::Job commit, runtime::Job done) = 0;
};

/// What a node gives to each of its roles. Owner: the node; all of it outlives the role.
struct RoleContext {
    runtime::Loop& loop;
    cluster::RoleBus bus;
    Settings settings;  ///< of the whole config; valid in the constructor only
    Metrics& metrics;
    runtime::BlockingPool& pool;
    transport::Transport& transport;
    std::span<const ModuleInfo* const> modules;
    std::string node;
    std::filesystem::path data_directory;
    bool development = false;
    bool threads = true;  ///< false in tests on virtual time: no threads, no sockets but the transport's
    /// How much of the memory that there is for this process is used, as of a moment ago, and the same in words. 0:
    /// unknown. Loop: any.
    std::function<std::uint32_t()> memory_percent{};
    std::function<std::string()> memory_text{};
    DiskWorld* disk = nullptr;
};

class Actor {
public:
    virtual ~Actor() = default;
    /// Announces the role ready when it can serve. What escapes stops the node with that message.
    [[nodiscard]] virtual runtime::Task<> start() = 0;
    /// Stops accepting, finishes, saves. The node waits for it, up to its shutdown limit.
    [[nodiscard]] virtual runtime::Task<> stop() = 0;
};

/// A role as the executable knows it. Building one reads and checks its settings, and has no other effect.
struct RoleInfo {
    Role role;
    std::unique_ptr<Actor> (*make)(RoleContext& context);
};

}  // namespace gs

#define GS_ROLE(role_name, type)                                                                          \
    namespace gs {                                                                                        \
    extern const RoleInfo role_name##_role;                                                               \
    const RoleInfo role_name##_role{Role::role_name, [](RoleContext& context) -> std::unique_ptr<Actor> { \
                                        return std::make_unique<type>(context);                           \
                                    }};                                                                   \
    }
