#include "app/node.hpp"

#include <algorithm>

namespace gs::app {

namespace {
constexpr auto beat_period = std::chrono::milliseconds{250};
constexpr auto cpu_period = std::chrono::seconds{1};
constexpr auto memory_period = std::chrono::milliseconds{250};
constexpr std::uint32_t memory_alarm_margin = 5;  // percent below the alarm at which it is over
constexpr auto certificate_check_period = std::chrono::seconds{5};
constexpr auto dead_after = std::chrono::seconds{10};
// Those whom the next one needs for its own stop come later: a game saves into storage.
constexpr std::array<Role, role_count> stop_order{Role::gateway, Role::login, Role::game, Role::center, Role::storage};
}  // namespace

/// How a loop does, written by the loop itself.
struct Node::Pulse {
    Pulse(runtime::Loop& of, Metrics& metrics)
        : loop{of},
          timers{of},
          lag{metrics.histogram("gameserver_loop_lag_seconds",
                                "how late timers fire: the time other work kept the loop", {{"loop", of.name()}})} {}
    runtime::Loop& loop;
    runtime::Timers timers;
    Histogram& lag;
    std::atomic<runtime::Duration::rep> last{0};
};

Node::Node(const NodeSettings& settings, SettingsTree& tree, NodeWorld world, std::span<const RoleInfo* const> roles,
           std::span<const ModuleInfo* const> modules)
    : settings_{settings},
      world_{std::move(world)},
      cpu_{metrics_.gauge("gameserver_process_cpu_percent",
                          "how busy this process was during the last second, of what all of its loops could do")},
      memory_used_{metrics_.gauge("gameserver_memory_used_bytes", "of the memory limit that is nearest")},
      memory_limit_{metrics_.gauge("gameserver_memory_limit_bytes",
                                   "the memory limit that is nearest: of the machine, a control group or the process")},
      timers_{*world_.loops.front()} {
    group_.self = Incarnation{world_.incarnation};
    group_.node = settings_.name;
    group_.serialise_local = settings_.serialise_local;
    group_.log_calls = settings_.log_calls;
    group_.has_peers = settings_.rows.size() > 1;
    for (const auto& row : settings_.rows) {
        for (const auto role : row.roles) group_.shards.add(role, row.name);
    }
    for (std::size_t index = 0; index < world_.loops.size(); ++index) {
        buses_.push_back(std::make_unique<cluster::Bus>(group_, *world_.loops[index], index, metrics_));
        group_.buses.push_back(buses_.back().get());
        pulses_.push_back(std::make_unique<Pulse>(*world_.loops[index], metrics_));
    }
    cluster::LinkOptions links;
    links.cluster = settings_.cluster;
    links.listen = settings_.link_address;
    links.timeout = settings_.link_timeout;
    links.encrypted = settings_.links.encrypted;
    if (links.encrypted) link_keys_.emplace(settings_, metrics_);
    links.heartbeat = std::min<runtime::Duration>(std::chrono::seconds{1}, settings_.link_timeout / 4);
    for (const auto& row : settings_.rows) {
        if (row.name != settings_.name) links.peers.push_back({row.name, row.link});
    }
    links_ =
        std::make_unique<cluster::Links>(group_, *world_.loops.front(), *world_.transport, std::move(links), metrics_);

    std::size_t next_loop = 0;
    for (const auto* info : roles) {
        if (!settings_.roles.contains(info->role)) continue;
        auto running = std::make_unique<Running>();
        running->role = info->role;
        running->loop = next_loop++ % world_.loops.size();
        const auto index = static_cast<std::size_t>(info->role);
        group_.has_role[index] = true;
        group_.loop_of_role[index] = running->loop;
        auto& bus = *buses_[running->loop];
        running->context = std::make_unique<RoleContext>(
            RoleContext{bus.loop(), cluster::RoleBus{bus, info->role}, tree.root(), metrics_, *world_.pool,
                        *world_.transport, modules, settings_.name, settings_.data_directory, settings_.development,
                        world_.threads, [this] { return memory_percent_.load(std::memory_order_relaxed); },
                        [this] { return memory_text(); }, world_.disk});
        running->tasks = std::make_unique<runtime::Tasks>();
        running->actor = info->make(*running->context);
        roles_.push_back(std::move(running));
    }
    metrics_.counter_function("gameserver_log_dropped_total", "log lines lost because writing could not keep up", {},
                              [] { return static_cast<double>(log::dropped()); });
    metrics_.counter_function("gameserver_escaped_errors_total", "tasks that ended with an error nobody handled", {},
                              [] { return static_cast<double>(runtime::Tasks::escaped()); });
    metrics_.gauge_function("gameserver_pool_waiting", "jobs that wait for a thread of the blocking pool", {},
                            [pool = world_.pool] { return static_cast<double>(pool->depth()); });
}

Node::~Node() {
    timers_.cancel_all();
    links_->stop();
    tasks_.cancel();
    for (auto& role : roles_) role->tasks->cancel();
    for (auto& bus : buses_) bus->tasks().cancel();
    roles_.clear();
}

void Node::start(std::function<void(const Error&)> on_failed) {
    on_failed_ = std::move(on_failed);
    for (std::size_t index = 0; index < world_.loops.size(); ++index) {
        world_.loops[index]->post([this, index] { beat(index); });
    }
    if (world_.cpu) world_.loops.front()->post([this] { measure_cpu(); });
    if (world_.memory) world_.loops.front()->post([this] { measure_memory(); });
    const auto keys = load_link_keys();
    world_.loops.front()->post([this, keys] {
        const auto started = keys ? links_->start() : keys;
        if (!started) on_failed_(started.error());
    });
    if (!keys) return;
    for (auto& role : roles_) {
        auto* running = role.get();
        world_.loops[running->loop]->post([this, running] { running->tasks->spawn(start_role(*running), "start"); });
    }
}

Result<void> Node::load_link_keys() {
    if (!link_keys_) return {};
    auto loaded = link_keys_->load(unix_seconds());
    if (!loaded) return loaded;
    links_->secure(link_keys_->security());
    world_.loops.front()->post([this] {
        timers_.every("certificate", certificate_check_period, [this] {
            if (link_keys_->reload_changed(unix_seconds())) links_->secure(link_keys_->security());
        });
    });
    return {};
}

std::int64_t Node::unix_seconds() const {
    const auto since = world_.loops.front()->wall_now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

runtime::Task<> Node::start_role(Running& role) {
    try {
        co_await role.actor->start();
    } catch (const Error& error) {
        world_.loops.front()->post([this, error] { on_failed_(error); });
    } catch (const std::exception& error) {
        const Error fault{Code::internal, "role {} cannot start: {}", role.role, error.what()};
        world_.loops.front()->post([this, fault] { on_failed_(fault); });
    }
}

void Node::beat(std::size_t loop) {
    auto& pulse = *pulses_[loop];
    const auto expected = pulse.loop.now() + beat_period;
    pulse.last.store(pulse.loop.now().time_since_epoch().count(), std::memory_order_relaxed);
    pulse.timers.after("beat", beat_period, [this, loop, expected] {
        pulses_[loop]->lag.observe(pulses_[loop]->loop.now() - expected);
        beat(loop);
    });
}

void Node::measure_cpu() {
    const auto busy = world_.cpu();
    group_.cpu.store(busy, std::memory_order_relaxed);
    cpu_.set(busy);
    pulses_.front()->timers.after("cpu", cpu_period, [this] { measure_cpu(); });
}

void Node::measure_memory() {
    auto use = world_.memory();
    const auto percent = use.percent();
    memory_percent_.store(percent, std::memory_order_relaxed);
    memory_used_.set(static_cast<std::int64_t>(use.used));
    memory_limit_.set(static_cast<std::int64_t>(use.limit));
    const bool alarm = percent >= settings_.memory_alarm_percent - (memory_alarm_ ? memory_alarm_margin : 0) &&
                       settings_.memory_alarm_percent < 100;
    if (alarm != std::exchange(memory_alarm_, alarm))
        alarm ? log::warn("{}", use.text()) : log::info("{}; no alarm any more", use.text());
    {
        const std::lock_guard lock{memory_mutex_};
        memory_ = std::move(use);
    }
    pulses_.front()->timers.after("memory", memory_period, [this] { measure_memory(); });
}

std::string Node::memory_text() const {
    const std::lock_guard lock{memory_mutex_};
    return memory_.text();
}

bool Node::is_alive(runtime::Time now) const {
    return std::all_of(pulses_.begin(), pulses_.end(), [&](const auto& pulse) {
        return now - runtime::Time{runtime::Duration{pulse->last.load(std::memory_order_relaxed)}} < dead_after;
    });
}

bool Node::is_ready() const { return not_ready_because().empty(); }

std::string Node::not_ready_because() const {
    for (const auto& role : roles_) {
        const auto* instance = buses_.front()->find({group_.self, role->role});
        if (instance == nullptr || (!instance->state.ready && instance->state.why.empty()))
            return fmt::format("role {} is not ready yet", role->role);
        if (!instance->state.why.empty()) return fmt::format("role {} {}", role->role, instance->state.why);
    }
    const auto& instances = buses_.front()->instances();
    const bool storage = std::any_of(instances.begin(), instances.end(), [](const cluster::Instance& instance) {
        return instance.address.role == Role::storage && instance.state.ready;
    });
    if (!storage && !roles_.empty()) return "storage is not reachable";
    return {};
}

std::string Node::endpoint(Role role) const {
    const auto* instance = buses_.front()->find({group_.self, role});
    return instance == nullptr ? std::string{} : instance->state.endpoint;
}

void Node::stop(std::function<void()> stopped) { tasks_.spawn(stop_all(std::move(stopped)), "stop"); }

runtime::Task<> Node::stop_all(std::function<void()> stopped) {
    for (const auto wanted : stop_order) {
        for (auto& role : roles_) {
            if (role->role != wanted) continue;
            const runtime::Promise<bool> promise;
            auto done = promise.future();
            auto* running = role.get();
            world_.loops[running->loop]->post(
                [this, running, promise] { running->tasks->spawn(stop_role(*running, promise), "stop"); });
            co_await std::move(done);
        }
    }
    links_->stop();
    stopped();
}

runtime::Task<> Node::stop_role(Running& role, runtime::Promise<bool> done) {
    try {
        co_await role.actor->stop();
    } catch (const std::exception& error) {
        log::error("role {} did not stop cleanly: {}", role.role, error.what());
    }
    world_.loops.front()->post([done] { done.set(true); });
}

}  // namespace gs::app
