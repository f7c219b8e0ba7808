// Nodes whose links are encrypted, and what they show to each other.
#include <catch2/catch.hpp>

#include "app/node.hpp"
#include "runtime/virtual_loop.hpp"
#include "tests/scenarios/world.hpp"
#include "transport/memory/memory_transport.hpp"

using namespace gs;
using namespace std::chrono_literals;

namespace {

const std::map<std::string, std::string> addresses{{"a", "10.0.0.1:7100"}, {"b", "10.0.0.2:7100"}};

/// In development mode, in which a node makes its own certificate.
app::NodeSettings settings_of(const std::string& name) {
    app::NodeSettings settings;
    settings.name = name;
    settings.roles = {Role::storage};
    settings.development = true;
    settings.data_directory = scenarios::key_directory();
    settings.cluster = "test";
    settings.link_address = addresses.at(name);
    settings.link_timeout = 5s;
    settings.links = {true, "default", {"zone.pub"}, "cluster.key", "node-" + name + ".key", "node-" + name + ".cert"};
    for (const auto& [node, address] : addresses) settings.rows.push_back({node, {Role::storage}, address, {}, {}, {}});
    return settings;
}

struct World {
    struct Process {
        Process(World& world, const std::string& name, std::uint64_t incarnation) : loop{world.time, name} {
            scenarios::set_setting(tree, "storage.engine", std::string{"memory"});
            app::NodeWorld around;
            around.loops = {&loop};
            around.transport = &world.network;
            around.pool = &world.pool;
            around.incarnation = incarnation;
            around.threads = false;
            node = std::make_unique<app::Node>(settings_of(name), tree, std::move(around), compiled_roles(),
                                               compiled_modules());
            node->start([](const Error& error) { FAIL(error.message()); });
        }
        [[nodiscard]] double metric(const std::string& series) const {
            return scenarios::read_metric(node->metrics(), series);
        }
        SettingsTree tree;
        runtime::VirtualLoop loop;
        std::unique_ptr<app::Node> node;
    };
    [[nodiscard]] double links() const {
        return a.metric("gameserver_links_connected") + b.metric("gameserver_links_connected");
    }

    runtime::VirtualTime time;
    transport::MemoryTransport network;
    runtime::BlockingPool pool{{0, 1}};
    Process a{*this, "a", 1}, b{*this, "b", 2};
};

}  // namespace

TEST_CASE("nodes show their renewed certificates on the links that are made afterwards", "[app][noise][MSG-06]") {
    World world;
    REQUIRE(world.time.run_until([&] { return world.links() == 2; }, 10s));
    const std::string expires{"gameserver_link_certificate_expires_seconds"};
    const auto first = world.a.metric(expires);
    // It is good for 30 days, and made anew when less than 7 are left.
    world.time.jump_wall(24 * 24h);
    world.time.advance(6s);
    CHECK(world.a.metric(expires) > first);
    world.time.jump_wall(10 * 24h);  // nobody accepts the first ones any more
    world.time.advance(6s);
    CHECK(world.links() == 2);
    world.network.set_cut(addresses.at("b"), true);
    world.time.advance(7s);
    CHECK(world.links() == 0);
    world.network.set_cut(addresses.at("b"), false);
    CHECK(world.time.run_until([&] { return world.links() == 2; }, 5s));
}
