// Who is sent away, and who is not let in again: by player, address and device, on every gateway.
#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

using namespace gs;
using namespace gs::scenarios;
using namespace gs::session;

namespace {

const std::vector<NodePlan> spread{{"center-1", {Role::center}}, {"center-2", {Role::center}},
                                   {"gate-1", {Role::gateway}},  {"gate-2", {Role::gateway}},
                                   {"game-1", {Role::game}},     {"store", {Role::storage, Role::login}}};

struct World : TestCluster {
    World() : TestCluster{spread} {
        add_module(trial_module);
        set("game.resume_seconds", std::int64_t{60});
        start();
    }
    [[nodiscard]] std::int64_t now() {
        return std::chrono::duration_cast<std::chrono::seconds>(client_loop().wall_now().time_since_epoch()).count();
    }
    [[nodiscard]] Result<Done> ban(const std::string& whom, const std::string& reason, std::int64_t seconds = 0,
                                   const std::string& center = "center-1") {
        return call_at(center, Role::center, PutBan{{whom, reason, seconds == 0 ? 0 : now() + seconds}});
    }
    [[nodiscard]] Result<Done> lift(const std::string& whom) { return call(Role::center, LiftBan{whom}); }
    /// Whether a login is let in, and what it is told otherwise.
    [[nodiscard]] std::string enters(PlayerId who, const std::string& gateway, const std::string& device = {}) {
        TestClient client{*this, gateway};
        client.hello().value();
        wire::Enter enter;
        enter.token = token(who);
        enter.device = device;
        client.send(enter);
        const auto entered = client.answer<wire::Enter>(0);
        if (entered) return "in";
        CHECK(entered.error().code() == Code::forbidden);
        REQUIRE(client.wait_closed(1s));
        CHECK_FALSE(client.goodbye().value().reconnect);
        return std::string{entered.error().message()};
    }
};

}  // namespace

TEST_CASE("a banned player is sent away on any gateway within a second, and told why and until when",
          "[scenario][ban][ACC-02][ACC-04]") {
    World world;
    const auto* center = GENERATE("center-1", "center-2");
    for (const std::uint64_t who : {1, 2, 3, 4}) {  // of whichever center
        TestClient anna{world, "gate-2"};
        anna.enter(player(who)).value();
        world.ban(fmt::format("player:{}", who), "sells gold", 3600, center).value();
        REQUIRE(anna.wait_closed(1s));
        CHECK(anna.goodbye().value().code == Code::forbidden);
        CHECK_THAT(anna.goodbye()->reason, Catch::StartsWith("banned until ") && Catch::EndsWith("UTC: sells gold"));
        CHECK_FALSE(anna.goodbye()->reconnect);
        CHECK_THAT(world.enters(player(who), "gate-1"), Catch::EndsWith("sells gold"));
        TestClient again{world, "gate-1"};
        CHECK(again.resume(anna).error().code() == Code::forbidden);
    }
    CHECK(world.enters(player(5), "gate-1") == "in");
    CHECK(world.metric("gate-2", R"(gameserver_client_rejected_total{reason="banned"})") == 4);
    world.lift("player:1").value();
    CHECK(world.enters(player(1), "gate-1") == "in");
    CHECK_FALSE(world.lift("player:1"));
}

TEST_CASE("a ban ends in its time and outlives every process", "[scenario][ban][ACC-02]") {
    World world;
    world.ban("player:1", "an hour", 3600).value();
    world.ban("player:2", "for ever").value();
    for (const auto* center : {"center-1", "center-2"}) {
        world.kill(center);
        world.start();
    }
    CHECK_THAT(world.enters(player(1), "gate-1"), Catch::Contains("an hour"));
    CHECK(world.enters(player(2), "gate-1") == "banned: for ever");
    CHECK(world.call(Role::center, ListBans{}).value().bans.size() == 2);
    world.advance(3601s);
    CHECK(world.enters(player(1), "gate-1") == "in");
    CHECK(world.enters(player(2), "gate-1") == "banned: for ever");
    CHECK(world.call(Role::center, ListBans{}).value().bans.size() == 1);
}

TEST_CASE("addresses and devices are banned as players are", "[scenario][ban][ACC-02]") {
    World world;
    TestClient before{world, "gate-1"};
    before.hello().value();
    wire::Enter enter;
    enter.token = world.token(player(1));
    enter.device = "phone-1";
    before.send(enter);
    REQUIRE(before.answer<wire::Enter>(0));
    TestClient other{world, "gate-2"};
    other.enter(player(2)).value();
    world.ban("device:phone-1", "many accounts").value();
    REQUIRE(before.wait_closed(1s));
    CHECK(other.request(echo::Echo{"hello"}));
    CHECK(world.enters(player(3), "gate-1", "phone-1") == "banned: many accounts");
    CHECK(world.enters(player(3), "gate-1", "phone-2") == "in");
    world.ban("address:127.0.0.1", "an attack").value();
    REQUIRE(other.wait_closed(1s));
    CHECK(world.enters(player(4), "gate-2") == "banned: an attack");
}

TEST_CASE("a center that missed a ban learns it, and the player is sent away then", "[scenario][ban][ACC-02]") {
    World world;
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    world.cut_links("center-2", true);
    world.ban("player:1", "one", 0, "center-1").value();
    REQUIRE(anna.wait_closed(1s));
    world.advance(10s);
    world.cut_links("center-2", false);
    world.advance(45s);
    for (const auto* center : {"center-1", "center-2"}) {
        CHECK(world.call_at(center, Role::center, ListBans{}).value().bans.size() == 1);
        CHECK_FALSE(world.call_at(center, Role::center, CheckBans{{"player:1"}}));
    }
}

TEST_CASE("who is kicked cannot resume and may log in anew", "[scenario][ban][ACC-04]") {
    World world;
    for (const std::uint64_t who : {1, 2, 3}) {
        TestClient anna{world, "gate-1"};
        anna.enter(player(who)).value();
        world.call_at("center-1", Role::center, KickPlayer{player(who), "be nice"}).value();
        REQUIRE(anna.wait_closed(1s));
        CHECK(anna.goodbye().value().reason == "be nice");
        TestClient again{world, "gate-2"};
        CHECK(again.resume(anna).error().code() == Code::not_found);
        CHECK(world.enters(player(who), "gate-2") == "in");
    }
    CHECK(world.call(Role::center, KickPlayer{player(99), ""}).error().code() == Code::not_found);
}

TEST_CASE("an address is banned however it is written", "[scenario][ban][ACC-02]") {
    CHECK(canonical_address("2001:DB8:0::1") == "2001:db8::1");
    CHECK(canonical_address("::ffff:192.0.2.1") == "192.0.2.1");
    CHECK(canonical_address("192.0.2.1") == "192.0.2.1");
    CHECK(canonical_address("[::1]").empty());
    World world;
    world.ban("address:::ffff:127.0.0.1", "an attack").value();
    CHECK(world.enters(player(4), "gate-2") == "banned: an attack");
    world.lift("address:127.0.0.1").value();
    CHECK(world.enters(player(4), "gate-2") == "in");
}

TEST_CASE("a ban that makes no sense is refused with what would", "[scenario][ban][ACC-02]") {
    World world;
    CHECK_THAT(std::string{world.ban("anna", "").error().message()}, Catch::Contains("player:51"));
    CHECK_THAT(std::string{world.ban("player:", "").error().message()}, Catch::Contains("player:51"));
    for (const auto* whom : {"player:051", "player:0", "address:192.0.2.0/24", "address:192.0.2.1:443", "address:x"})
        CHECK(world.ban(whom, "").error().code() == Code::invalid);
    CHECK(world.ban("player:1", std::string(300, 'x')).error().code() == Code::invalid);
    CHECK(world.ban("player:1", "", -5).error().code() == Code::invalid);
    CHECK(world.call(Role::center, ListBans{}).value().bans.empty());
}
