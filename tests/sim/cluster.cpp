#include "tests/sim/cluster.hpp"

#include <algorithm>

#include "api/registry.hpp"
#include "session/messages.hpp"
#include "tests/scenarios/trial_module.hpp"
#include "tests/scenarios/world.hpp"

namespace gs::sim {

namespace {
constexpr auto shutdown_limit = std::chrono::seconds{30};
}

Cluster::Cluster(runtime::VirtualTime& time, Network& network, Disk& disk, Trace& trace, std::vector<NodePlan> plan,
                 std::map<std::string, SettingScalar> settings, std::chrono::milliseconds link_timeout)
    : time_{time},
      network_{network},
      disk_{disk},
      trace_{trace},
      plan_{std::move(plan)},
      settings_{std::move(settings)},
      link_timeout_{link_timeout} {
    const auto modules = compiled_modules();
    modules_.assign(modules.begin(), modules.end());
    modules_.push_back(&trial_module);
}

Cluster::~Cluster() {
    while (!running_.empty()) remove(std::string{running_.begin()->first}, false);
}

std::size_t Cluster::index_of(const std::string& name) const {
    const auto place =
        std::find_if(plan_.begin(), plan_.end(), [&](const NodePlan& node) { return node.name == name; });
    return static_cast<std::size_t>(place - plan_.begin());
}

std::string Cluster::client_address(std::size_t index) const { return fmt::format("127.0.0.1:{}", 7000 + index); }
std::string Cluster::link_address(std::size_t index) const { return fmt::format("127.0.0.1:{}", 7100 + index); }

std::vector<std::string> Cluster::gateways() const {
    std::vector<std::string> addresses;
    for (std::size_t index = 0; index < plan_.size(); ++index) {
        if (plan_[index].roles.contains(Role::gateway)) addresses.push_back(client_address(index));
    }
    return addresses;
}

void Cluster::start(const std::string& name) {
    const auto index = index_of(name);
    auto running = std::make_unique<Running>(time_, name);
    auto& tree = running->tree;
    scenarios::set_setting(tree, "storage.engine", std::string{"memory"});
    scenarios::set_setting(tree, "gateway.tcp.address", client_address(index));
    scenarios::set_setting(tree, "gateway.tcp.security", std::string{"none"});
    for (const auto& [path, value] : settings_) scenarios::set_setting(tree, path, value);

    app::NodeSettings settings;
    settings.name = name;
    settings.roles = plan_[index].roles;
    settings.data_directory = scenarios::key_directory();
    settings.serialise_local = true;
    settings.cluster = "simulation";
    settings.link_timeout = link_timeout_;
    if (plan_.size() > 1) {
        settings.link_address = link_address(index);
        for (std::size_t other = 0; other < plan_.size(); ++other) {
            settings.rows.push_back({plan_[other].name, plan_[other].roles, link_address(other), {}, {}, {}});
        }
    }
    app::NodeWorld world;
    world.loops = {&running->loop};
    world.transport = &network_;
    world.pool = &pool_;
    world.incarnation = running->incarnation = ++incarnations_;
    world.threads = false;
    world.disk = &disk_;
    network_.host_up(name);
    trace_.note("node starts", name, incarnations_);
    running->node = std::make_unique<app::Node>(settings, tree, std::move(world), compiled_roles(), modules_);
    running->node->start([this, name](const Error& error) { failure_ = name + ": " + error.message(); });
    running_[name] = std::move(running);
}

void Cluster::remove(const std::string& name, bool told) {
    network_.host_down(name, told);
    running_.erase(name);
}

void Cluster::crash(const std::string& name, bool told) {
    trace_.note(told ? "process dies" : "machine dies", name);
    remove(name, told);
}

void Cluster::stop(const std::string& name, std::function<void()> stopped) {
    auto& running = *running_.at(name);
    running.stopping = true;
    const auto gone = [this, name, incarnation = running.incarnation, stopped = std::move(stopped)](const char* how) {
        const auto place = running_.find(name);
        if (place == running_.end() || place->second->incarnation != incarnation) return;
        trace_.note(how, name);
        remove(name, true);
        stopped();
    };
    trace_.note("node is told to stop", name);
    running.loop.post([this, &running, gone] {
        running.node->stop([this, gone] { loop_.post([gone] { gone("node has stopped"); }); });
    });
    loop_.after(shutdown_limit, [gone] { gone("node did not stop"); });
}

void Cluster::drain(const std::string& name, bool on) {
    const auto running = running_.find(name);
    if (running == running_.end() || !plan_[index_of(name)].roles.contains(Role::game)) return;
    auto& process = *running->second;
    process.loop.post([&process, on, this, name] {
        auto& bus = process.node->home_bus();
        session::Drain order;
        order.on = on;
        trace_.note(on ? "drain" : "undrain", name);
        static_cast<void>(process.node->operators_bus().call({bus.group().self, Role::game}, std::move(order)));
    });
}

void Cluster::set_paused(const std::string& name, bool paused) {
    const auto place = running_.find(name);
    if (place == running_.end()) return;
    trace_.note(paused ? "node pauses" : "node goes on", name);
    place->second->loop.set_paused(paused);
}

void Cluster::set_wall_offset(const std::string& name, runtime::Duration offset) {
    if (const auto place = running_.find(name); place != running_.end()) place->second->loop.set_wall_offset(offset);
}

bool Cluster::is_paused(const std::string& name) const { return runs(name) && running_.at(name)->loop.is_paused(); }

bool Cluster::is_stopping(const std::string& name) const { return runs(name) && running_.at(name)->stopping; }

bool Cluster::is_ready() const { return not_ready_because().empty(); }

std::string Cluster::not_ready_because() const {
    if (failure_) return *failure_;
    for (const auto& node : plan_) {
        if (!runs(node.name)) return fmt::format("node {} does not run", node.name);
    }
    for (const auto& [name, running] : running_) {
        const auto& instances = running->node->home_bus().instances();
        for (const auto& node : plan_) {
            for (const auto role : node.roles) {
                const auto incarnation = Incarnation{running_.at(node.name)->incarnation};
                const auto known = std::any_of(instances.begin(), instances.end(), [&](const auto& instance) {
                    return instance.address == RoleAddress{incarnation, role} && instance.state.ready;
                });
                if (!known) return fmt::format("node {} does not see that {} of {} is ready", name, role, node.name);
            }
        }
    }
    return {};
}

std::vector<double> Cluster::totals(const std::vector<std::string>& series) const {
    std::vector<double> sums(series.size());
    for (const auto& [name, running] : running_) {
        const auto text = running->node->metrics().to_prometheus_text();
        for (std::size_t index = 0; index < series.size(); ++index)
            sums[index] += scenarios::read_metric(text, series[index]);
    }
    return sums;
}

}  // namespace gs::sim
