#pragma once
// The nodes of a simulation: started, killed, paused and stopped one by one. Owner: the simulation; outlives nothing.
#include <memory>
#include <optional>
#include <set>

#include "app/node.hpp"
#include "runtime/virtual_loop.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/network.hpp"

namespace gs::sim {

struct NodePlan {
    std::string name;
    std::set<Role> roles;
};

class Cluster {
public:
    Cluster(runtime::VirtualTime& time, Network& network, Disk& disk, Trace& trace, std::vector<NodePlan> plan,
            std::map<std::string, SettingScalar> settings, std::chrono::milliseconds link_timeout);
    ~Cluster();
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    [[nodiscard]] const std::vector<NodePlan>& plan() const { return plan_; }
    [[nodiscard]] std::vector<std::string> gateways() const;

    void start(const std::string& name);
    /// The process is gone. Told: its kernel ends the connections, else the whole machine is silent.
    void crash(const std::string& name, bool told);
    /// As SIGTERM does; the node is gone when it has finished, or after half a minute.
    void stop(const std::string& name, std::function<void()> stopped);
    /// As `gameserver admin drain` and `undrain`; nothing when the node does not run or has no game.
    void drain(const std::string& name, bool on);
    void set_paused(const std::string& name, bool paused);
    void set_wall_offset(const std::string& name, runtime::Duration offset);

    [[nodiscard]] bool runs(const std::string& name) const { return running_.contains(name); }
    [[nodiscard]] bool is_paused(const std::string& name) const;
    [[nodiscard]] bool is_stopping(const std::string& name) const;
    /// Every node runs, and knows that every role of every other is ready.
    [[nodiscard]] bool is_ready() const;
    /// What is missing, or what a role says that cannot start.
    [[nodiscard]] std::string not_ready_because() const;
    [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }
    /// Gauges or counters, each added up over all nodes.
    [[nodiscard]] std::vector<double> totals(const std::vector<std::string>& series) const;

private:
    struct Running {
        SettingsTree tree;
        runtime::VirtualLoop loop;
        std::unique_ptr<app::Node> node;
        bool stopping = false;
        std::uint64_t incarnation = 0;
        Running(runtime::VirtualTime& time, const std::string& name) : loop{time, name} {}
    };
    [[nodiscard]] std::size_t index_of(const std::string& name) const;
    [[nodiscard]] std::string client_address(std::size_t index) const;
    [[nodiscard]] std::string link_address(std::size_t index) const;
    void remove(const std::string& name, bool told);

    runtime::VirtualTime& time_;
    runtime::VirtualLoop loop_{time_, "operator"};
    Network& network_;
    Disk& disk_;
    Trace& trace_;
    std::vector<NodePlan> plan_;
    std::map<std::string, SettingScalar> settings_;
    std::chrono::milliseconds link_timeout_;
    std::vector<const ModuleInfo*> modules_;
    runtime::BlockingPool pool_{{0, 1}};
    std::uint64_t incarnations_ = 0;
    std::optional<std::string> failure_;
    std::map<std::string, std::unique_ptr<Running>> running_;
};

}  // namespace gs::sim
