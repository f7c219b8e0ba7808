#pragma once
// A node: loops, buses, links and roles of one process, put together from the config. In tests it runs on virtual time.
// Flow of a start: build the roles (reads settings) -> finish() the config -> links and admin -> each role's start
// task.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "api/registry.hpp"
#include "app/link_keys.hpp"
#include "app/node_settings.hpp"
#include "base/metrics.hpp"
#include "cluster/links.hpp"
#include "runtime/memory_meter.hpp"

namespace gs::app {

/// The world that a node lives in. Owner: the caller; outlives the node.
struct NodeWorld {
    std::vector<runtime::Loop*> loops;  ///< the first one is home
    transport::Transport* transport = nullptr;
    runtime::BlockingPool* pool = nullptr;
    std::uint64_t incarnation = 0;
    bool threads = true;
    DiskWorld* disk = nullptr;             ///< none: storage is as configured
    std::function<std::uint32_t()> cpu{};  ///< how busy the process was since the last call, percent; none: unknown
    std::function<runtime::MemoryUse()> memory{};  ///< none: unknown
};

class Node {
public:
    /// Builds the roles; no effects yet. Throws Error (a command claimed twice).
    Node(const NodeSettings& settings, SettingsTree& tree, NodeWorld world, std::span<const RoleInfo* const> roles,
         std::span<const ModuleInfo* const> modules);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    /// Starts links and roles. `on_failed` is called on the home loop when a role cannot start. Call before the loops
    /// run.
    void start(std::function<void(const Error&)> on_failed);
    /// Stops the roles in order (gateway first, storage last), then calls `stopped` on the home loop. Loop: home.
    void stop(std::function<void()> stopped);

    [[nodiscard]] Metrics& metrics() { return metrics_; }
    /// Loop: home.
    [[nodiscard]] bool is_ready() const;
    /// The first thing to say about a node that is not ready.
    [[nodiscard]] std::string not_ready_because() const;
    [[nodiscard]] std::string endpoint(Role role) const;
    [[nodiscard]] bool is_alive(runtime::Time now) const;
    [[nodiscard]] cluster::Bus& home_bus() { return *buses_.front(); }
    /// To ask roles in the name of this node. Loop: home.
    [[nodiscard]] cluster::RoleBus operators_bus() { return {home_bus(), roles_.front()->role}; }

private:
    struct Running {
        Role role;
        std::size_t loop;
        std::unique_ptr<RoleContext> context;
        std::unique_ptr<Actor> actor;
        std::unique_ptr<runtime::Tasks> tasks;
    };
    struct Pulse;

    runtime::Task<> start_role(Running& role);
    runtime::Task<> stop_role(Running& role, runtime::Promise<bool> done);
    runtime::Task<> stop_all(std::function<void()> stopped);
    void beat(std::size_t loop);
    void measure_cpu();
    void measure_memory();
    [[nodiscard]] std::string memory_text() const;
    [[nodiscard]] Result<void> load_link_keys();
    [[nodiscard]] std::int64_t unix_seconds() const;

    NodeSettings settings_;
    NodeWorld world_;
    Metrics metrics_;
    Gauge &cpu_, &memory_used_, &memory_limit_;
    std::atomic<std::uint32_t> memory_percent_{0};
    mutable std::mutex memory_mutex_;
    runtime::MemoryUse memory_;  // guarded by memory_mutex_; written by the home loop
    bool memory_alarm_ = false;
    cluster::BusGroup group_;
    std::vector<std::unique_ptr<cluster::Bus>> buses_;
    std::unique_ptr<cluster::Links> links_;
    std::optional<LinkKeys> link_keys_;  // when links are encrypted
    runtime::Timers timers_;             // of the home loop
    std::vector<std::unique_ptr<Pulse>> pulses_;
    std::vector<std::unique_ptr<Running>> roles_;
    std::function<void(const Error&)> on_failed_;
    runtime::Tasks tasks_;
};

}  // namespace gs::app
