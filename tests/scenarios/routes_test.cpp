// Versions of the client: which may come, and which group of games plays them.
#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

using namespace gs;
using namespace gs::scenarios;

namespace {

struct World : TestCluster {
    World()
        : TestCluster{{{"center", {Role::center, Role::login, Role::storage}},
                       {"gate", {Role::gateway}},
                       {"game-1", {Role::game}},
                       {"game-2", {Role::game}},
                       {"game-old", {Role::game}},
                       {"game-arena", {Role::game}}}} {
        add_module(trial_module);
        set("game.resume_seconds", std::int64_t{60});
        set_on("game-old", "game.group", std::string{"old"});
        set_on("game-arena", "game.group", std::string{"arena"});
        set_rows("center.route", 1);
        set("center.route[0].below", std::string{"2.0"});
        set("center.route[0].group", std::string{"old"});
    }
    [[nodiscard]] double players_on(const std::string& node) { return metric(node, "gameserver_game_players"); }
};

wire::ClientHello version(const std::string& text) {
    wire::ClientHello hello;
    hello.client_version = text;
    return hello;
}

Result<wire::Entered> enter(TestClient& client, World& world, PlayerId who, const std::string& of) {
    const auto answered = client.hello(version(of));
    if (!answered) return answered.error();
    return client.enter_with(world.token(who));
}

}  // namespace

TEST_CASE("a client that is too old is told to upgrade, and where", "[scenario][ACC-03]") {
    World world;
    world.set("gateway.client_version_min", std::string{"1.10"});
    world.set("gateway.upgrade_address", std::string{"https://game.example/get"});
    world.start();
    for (const auto* old : {"1.9.5", "", "cpp"}) {
        CAPTURE(old);
        TestClient client{world, "gate"};
        REQUIRE(client.hello(version(old)).value().code == Code::ok);
        REQUIRE(world.run_until([&] { return client.goodbye().has_value(); }));
        CHECK(client.goodbye()->code == Code::outdated);
        CHECK(client.goodbye()->upgrade == "https://game.example/get");
        CHECK_FALSE(client.goodbye()->reconnect);
        CHECK(client.goodbye()->reason.find("https://game.example/get") != std::string::npos);
    }
    CHECK(world.metric("gate", "gameserver_client_rejected_total{reason=\"version\"}") == 3);
    TestClient client{world, "gate"};
    CHECK(enter(client, world, player(1), "1.10"));
}

TEST_CASE("a version's range names the group of games that plays it", "[scenario][ACC-03][RTE-02]") {
    World world;
    world.start();
    TestClient old{world, "gate"};
    enter(old, world, player(1), "1.9").value();
    TestClient silent{world, "gate"};
    enter(silent, world, player(2), "").value();
    TestClient newer{world, "gate"};
    enter(newer, world, player(3), "2.0").value();
    TestClient newest{world, "gate"};
    enter(newest, world, player(4), "3.1").value();
    world.advance(2s);
    CHECK(world.players_on("game-old") == 2);
    CHECK(world.players_on("game-1") + world.players_on("game-2") == 2);
    CHECK(world.players_on("game-arena") == 0);
}

TEST_CASE("a module's rule comes before the config's", "[scenario][RTE-03]") {
    World world;
    world.start();
    TestClient client{world, "gate"};
    enter(client, world, player(1), "1.0 to arena").value();
    world.advance(2s);
    CHECK(world.players_on("game-arena") == 1);
    TestClient lost{world, "gate"};
    const auto refused = enter(lost, world, player(2), "1.0 to nowhere");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::unavailable);
    CHECK(refused.error().message().find("group \"nowhere\"") != std::string::npos);
}

TEST_CASE("who comes back with a newer version goes to its group, with all that is saved", "[scenario][RTE-02]") {
    World world;
    world.start();
    TestClient old{world, "gate"};
    enter(old, world, player(1), "1.9").value();
    old.request(Deposit{7}).value();
    old.request(WriteNotes{"quick", "periodic", "leave"}).value();
    SECTION("while the old session waits to be resumed") { old.disconnect(); }
    SECTION("while the old client still plays") {}
    world.advance(1s);
    TestClient newer{world, "gate"};
    enter(newer, world, player(1), "2.0").value();
    CHECK(newer.request(LookUpGold{player(1)}).value().gold == 7);
    CHECK(newer.request(ReadNotes{}).value().leave == "leave");
    world.advance(2s);
    CHECK(world.players_on("game-old") == 0);
    CHECK(world.players_on("game-1") + world.players_on("game-2") == 1);
}

TEST_CASE("a session is resumed where it is, whatever the version says", "[scenario][RTE-02]") {
    World world;
    world.start();
    TestClient old{world, "gate"};
    enter(old, world, player(1), "1.9").value();
    old.disconnect();
    world.advance(1s);
    TestClient back{world, "gate"};
    CHECK(back.resume(old, {}, version("2.0")).value().state == wire::SessionState::resumed);
    world.advance(2s);
    CHECK(world.players_on("game-old") == 1);
}

TEST_CASE("a drained game gives its players to its own group only", "[scenario][RTE-02]") {
    World world;
    world.start();
    TestClient arena{world, "gate"};
    enter(arena, world, player(1), "1.0 to arena").value();
    const auto refused = world.call_at("game-arena", Role::game, session::Drain{true, false});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::unavailable);
    arena.request(echo::Echo{"still here"}).value();

    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::uint64_t who = 2; who <= 9; ++who) {
        clients.push_back(std::make_unique<TestClient>(world, "gate"));
        enter(*clients.back(), world, player(who), "2.0").value();
    }
    world.advance(2s);
    const auto drained = world.players_on("game-1");
    REQUIRE(drained > 0);
    world.call_at("game-1", Role::game, session::Drain{true, false}).value();
    REQUIRE(world.run_until([&] { return world.players_on("game-1") == 0; }));
    world.advance(2s);
    CHECK(world.players_on("game-2") == 8);  // the other groups have fewer
    CHECK(world.players_on("game-old") == 0);
    CHECK(world.players_on("game-arena") == 1);
}

TEST_CASE("who changes the group of games does not lose the place in a full cluster", "[scenario][queue][RTE-02]") {
    World world;
    world.set("center.online_max", std::int64_t{1});
    world.start();
    TestClient old{world, "gate"};
    enter(old, world, player(1), "1.9").value();
    TestClient waits{world, "gate"};
    waits.hello(version("2.0")).value();
    wire::Enter claim;
    claim.token = world.token(player(2));
    waits.send(claim);
    world.advance(1s);
    TestClient newer{world, "gate"};
    CHECK(enter(newer, world, player(1), "2.0"));
    CHECK_FALSE(waits.has_answer(0));
}

TEST_CASE("a group that has no games takes nobody from another one", "[scenario][RTE-02]") {
    World world;
    world.start();
    TestClient old{world, "gate"};
    enter(old, world, player(1), "1.9").value();
    TestClient newer{world, "gate"};
    const auto refused = enter(newer, world, player(1), "2.0 to nowhere");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::unavailable);
    CHECK(old.request(echo::Echo{"still here"}).value().text == "still here");
}

TEST_CASE("a player whose last attach never came to the game changes the group as well", "[scenario][RTE-02]") {
    World world;
    world.start();
    TestClient old{world, "gate"};
    enter(old, world, player(1), "1.9").value();
    old.disconnect();
    world.advance(1s);
    // The center has granted an epoch of which the game has not heard.
    session::Attach lost;
    lost.player = player(1);
    lost.client_version = "1.9";
    cluster::RoleBus gateway{world.node("gate").home_bus(), Role::gateway};
    const auto granted = gateway.call(gateway.any(Role::center).value(), lost);
    REQUIRE(world.run_until([&] { return granted.peek().has_value(); }));
    gateway.publish(Role::center, session::Detached{player(1), granted.peek()->value().epoch});
    world.advance(100ms);
    TestClient newer{world, "gate"};
    CHECK(enter(newer, world, player(1), "2.0"));
}
