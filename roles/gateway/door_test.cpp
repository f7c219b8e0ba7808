#include "roles/gateway/door.hpp"

#include <catch2/catch.hpp>

#include "tests/scenarios/world.hpp"

using namespace gs;
using namespace gs::gateway;
using namespace gs::scenarios;

namespace {

struct Fixture {
    explicit Fixture(const std::map<std::string, std::int64_t>& given) {
        for (const auto& [key, value] : given) set_setting(tree, "gateway." + key, value);
        settings = std::make_unique<GatewaySettings>(tree.root(), false);
        door = std::make_unique<Door>(*settings);
    }
    std::string come(const std::string& address) {
        door->come(address);
        return std::string{door->objection(address)};
    }
    SettingsTree tree;
    std::unique_ptr<GatewaySettings> settings;
    std::unique_ptr<Door> door;
};

}  // namespace

TEST_CASE("one address has only so many connections", "[gateway][NET-14]") {
    Fixture world{{{"connections_per_address_max", 2}}};
    CHECK(world.come("192.0.2.1").empty());
    CHECK(world.come("192.0.2.1").empty());
    CHECK(world.come("192.0.2.1") == "too many connections from one address");
    world.door->prove("192.0.2.1");
    world.door->go("192.0.2.1");
    CHECK(world.come("192.0.2.2").empty());
    CHECK(world.come("192.0.2.1") == "too many connections from one address");  // who has entered counts too
    for (int count = 0; count < 3; ++count) {
        world.door->prove("192.0.2.1");
        world.door->go("192.0.2.1");
    }
    CHECK(world.come("192.0.2.1").empty());
}

TEST_CASE("an IPv6 network counts as one address", "[gateway][NET-14]") {
    Fixture world{{{"unauthenticated_per_address_max", 1}}};
    CHECK(world.come("2001:db8:0:1::1").empty());
    CHECK(world.come("2001:db8:0:1:ffff::2") == "too many connections wait to log in");
    CHECK(world.come("2001:db8:0:2::1").empty());
    CHECK(world.come("192.0.2.1").empty());
    CHECK(world.come("192.0.2.2").empty());
}

TEST_CASE("hellos are limited by the second, for all and for one address", "[gateway][NET-14]") {
    Fixture world{{{"hellos_per_second_max", 5}, {"hellos_per_address_max", 2}}};
    const auto greet = [&](const std::string& address) { return world.door->greet(address).empty(); };
    static_cast<void>(world.come("192.0.2.1"));
    CHECK(greet("192.0.2.1"));
    CHECK(greet("192.0.2.1"));
    CHECK_FALSE(greet("192.0.2.1"));
    world.door->prove("192.0.2.1");
    world.door->go("192.0.2.1");
    CHECK_FALSE(greet("192.0.2.1"));  // connecting anew does not help
    CHECK(greet("192.0.2.2"));
    CHECK(greet("192.0.2.2"));
    CHECK(greet("192.0.2.3"));
    CHECK_FALSE(greet("192.0.2.4"));
    world.door->tick();
    CHECK(greet("192.0.2.1"));
    CHECK(greet("192.0.2.4"));
}

TEST_CASE("those behind a balancer count in all, and for their address once it is known", "[gateway][NET-14]") {
    Fixture world{{{"connections_max", 2}, {"connections_per_address_max", 1}}};
    CHECK(world.come("").empty());
    CHECK(world.come("").empty());
    CHECK(world.come("") == "this gateway is full");
    world.door->prove("");
    world.door->go("");
    world.door->come_from("192.0.2.1");
    CHECK(world.door->objection("192.0.2.1").empty());
    world.door->come_from("192.0.2.1");
    CHECK(world.door->objection("192.0.2.1") == "too many connections from one address");
}
