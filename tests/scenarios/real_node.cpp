#include "tests/scenarios/real_node.hpp"

#include <catch2/catch.hpp>

#include "api/registry.hpp"

namespace gs::scenarios {

RealNode::RealNode(const std::map<std::string, SettingScalar>& settings,
                   const std::map<std::string, SettingList>& lists)
    : log_level_before_{log::detail::level.load()} {
    log::set_level(log::Level::off);
    set_setting(tree_, "storage.engine", std::string{"memory"});
    set_setting(tree_, "gateway.tcp.address", std::string{"127.0.0.1:0"});
    set_setting(tree_, "login.http.address", std::string{"127.0.0.1:0"});
    set_setting(tree_, "login.password.memory_kib", std::int64_t{19'456});
    for (const auto& [path, value] : settings) set_setting(tree_, path, value);
    for (const auto& [path, values] : lists) set_setting(tree_, path, values);
    app::NodeSettings node;
    node.name = "real";
    node.roles = {Role::gateway, Role::login, Role::center, Role::game, Role::storage};
    node.development = true;
    node.data_directory = key_directory();
    app::NodeWorld world;
    world.loops = {&loop_};
    world.transport = transport_.get();
    world.pool = &pool_;
    world.incarnation = 1;
    world.memory = [this] { return runtime::MemoryUse{memory_, 100, "a test"}; };
    node_ = std::make_unique<app::Node>(node, tree_, std::move(world), compiled_roles(), compiled_modules());
    node_->start([this](const Error& error) {
        failure_ = error;
        ready_.set_value();
    });
    loop_.post([this] { wait_ready(); });
    thread_ = std::thread{[this] { loop_.run(); }};
    ready_.get_future().wait();
    if (!failure_) return;
    loop_.stop();
    thread_.join();
    FAIL("the node did not start: " << failure_->message());
}

void RealNode::wait_ready() {
    if (!node_->is_ready()) {
        loop_.after(std::chrono::milliseconds{5}, [this] { wait_ready(); });
        return;
    }
    login_ = node_->endpoint(Role::login);
    gateway_ = node_->endpoint(Role::gateway);
    ready_.set_value();
}

RealNode::~RealNode() {
    loop_.post([this] { node_->stop([this] { loop_.stop(); }); });
    thread_.join();
    node_.reset();
    log::set_level(log_level_before_);
}

}  // namespace gs::scenarios
