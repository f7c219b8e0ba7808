// One account, one connection: newer logins take over, wherever the older one is.
#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

namespace {

std::vector<NodePlan> two_gateways() {
    return {
        {"gate1", {Role::gateway}}, {"gate2", {Role::gateway}}, {"rest", {Role::center, Role::game, Role::storage}}};
}

void check_taken_over(TestClient& old) {
    REQUIRE(old.wait_closed());
    REQUIRE(old.goodbye().has_value());
    CHECK(old.goodbye()->code == Code::fenced);
    CHECK(old.goodbye()->reason == "this account logged in somewhere else");
    CHECK_FALSE(old.goodbye()->reconnect);
}

}  // namespace

TEST_CASE("a newer login on the same gateway takes over and plays on", "[scenario][SES-01]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient old{cluster};
    old.enter(player(1)).value();
    old.request(WriteNotes{"", "", "only in memory"}).value();
    TestClient newer{cluster};
    newer.enter(player(1)).value();
    check_taken_over(old);
    CHECK(newer.request(ReadNotes{}).value().leave == "only in memory");
    cluster.advance(2s);
    CHECK(cluster.metric("all", "gameserver_takeovers_total") == 1);
    CHECK(cluster.metric("all", "gameserver_online_players") == 1);
    CHECK(cluster.metric("all", "gameserver_game_players") == 1);
}

TEST_CASE("a newer login on another gateway takes over: cross_gateway_kick", "[scenario][SES-02]") {
    TestCluster cluster{two_gateways()};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient old{cluster, "gate1"};
    old.enter(player(1)).value();
    old.request(WriteNotes{"", "", "only in memory"}).value();
    TestClient newer{cluster, "gate2"};
    newer.enter(player(1)).value();
    check_taken_over(old);
    CHECK(newer.request(ReadNotes{}).value().leave == "only in memory");
    cluster.advance(5s);
    CHECK(newer.request(echo::Echo{"still here"}).value().text == "still here");
    CHECK(cluster.metric("rest", "gameserver_online_players") == 1);
}

TEST_CASE("the old connection's late end does not disturb the new session: late_close_keeps_new_session",
          "[scenario][SES-02]") {
    TestCluster cluster{
        {{"a", {Role::gateway}}, {"m", {Role::center, Role::game, Role::storage}}, {"z", {Role::gateway}}}};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient old{cluster, "z"};
    old.enter(player(1)).value();
    // The old gateway hears nothing of the takeover; its client goes away long after.
    cluster.cut_links("z", true);
    TestClient newer{cluster, "a"};
    newer.enter(player(1)).value();
    newer.request(Deposit{5}).value();
    cluster.cut_links("z", false);
    cluster.advance(10s);
    REQUIRE(old.is_open());
    old.disconnect();
    cluster.advance(40s);
    CHECK(newer.is_open());
    CHECK(newer.request(Deposit{1}).value().gold == 6);
    CHECK(cluster.metric("m", "gameserver_online_players") == 1);
    CHECK(cluster.metric("a", "gameserver_gateway_players") == 1);
}

TEST_CASE("a takeover does not wait for a gateway that is cut off: takeover_with_dead_old_socket",
          "[scenario][SES-02]") {
    TestCluster cluster{
        {{"a", {Role::gateway}}, {"m", {Role::center, Role::game, Role::storage}}, {"z", {Role::gateway}}}};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient old{cluster, "z"};
    old.enter(player(1)).value();
    old.request(Deposit{5}).value();
    cluster.cut_links("z", true);
    TestClient newer{cluster, "a"};
    newer.enter(player(1)).value();
    CHECK(newer.request(Deposit{1}).value().gold == 6);

    // The cut ends: the old client must not stay, and must not disturb.
    cluster.advance(20s);
    cluster.cut_links("z", false);
    REQUIRE(old.wait_closed(30s));
    CHECK(newer.request(Deposit{1}).value().gold == 7);
    cluster.advance(2s);
    CHECK(cluster.metric("m", "gameserver_online_players") == 1);
}

TEST_CASE("a second enter on a connection changes nothing: login_twice_same_conn", "[scenario][SES-01]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    const auto second = anna.enter(player(1));
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code() == Code::invalid);
    const auto other = anna.enter(player(2));
    REQUIRE_FALSE(other.has_value());
    anna.request(TellPlayers{{player(1)}, "once"}).value();
    CHECK(anna.pushes<Told>().size() == 1);
    anna.request(TellAll{"once"}).value();
    CHECK(anna.pushes<Told>().size() == 1);
    CHECK(cluster.metric("all", R"(gameserver_client_rejected_total{reason="command"})") == 2);
}

TEST_CASE("two logins at the same moment end with one of them", "[scenario][SES-01]") {
    TestCluster cluster{two_gateways()};
    cluster.start();
    TestClient one{cluster, "gate1"};
    TestClient two{cluster, "gate2"};
    one.hello().value();
    two.hello().value();
    const auto token = cluster.token(player(1));
    one.send(wire::Enter{token});
    two.send(wire::Enter{token});
    cluster.advance(5s);
    CHECK((one.is_open() ? 1 : 0) + (two.is_open() ? 1 : 0) == 1);
    auto& winner = one.is_open() ? one : two;
    CHECK(winner.request(echo::Echo{"here"}).value().text == "here");
    CHECK(cluster.metric("rest", "gameserver_online_players") == 1);
}

TEST_CASE("a player who comes back while being saved finds everything", "[scenario][GAM-01]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    for (int round = 1; round <= 20; ++round) {
        TestClient anna{cluster};
        anna.enter(player(1)).value();
        CHECK(anna.request(Deposit{1}).value().gold == static_cast<std::uint64_t>(round));
        anna.request(WriteNotes{"", "", fmt::format("round {}", round)}).value();
        TestClient next{cluster};
        next.hello().value();
        anna.disconnect();
        next.enter(player(1)).value();
        CHECK(next.request(ReadNotes{}).value().leave == fmt::format("round {}", round));
    }
    cluster.advance(5s);
    CHECK(cluster.metric("all", "gameserver_game_players") == 0);
    CHECK(cluster.metric("all", "gameserver_online_players") == 0);
}

TEST_CASE("a reply goes to the connection that asked and to no later one", "[scenario][SES-01][MSG-15]") {
    TestCluster cluster{{{"front", {Role::gateway, Role::center, Role::game}}, {"storage", {Role::storage}}}};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient old{cluster};
    old.enter(player(1)).value();
    cluster.cut_links("storage", true);
    const auto asked = old.send(Deposit{5});  // waits for storage, which never hears of it
    cluster.advance(2s);
    cluster.cut_links("storage", false);

    TestClient later{cluster};
    later.enter(player(1)).value();  // after the commit was repeated and done
    CHECK_FALSE(later.has_answer(asked));
    CHECK(later.request(Deposit{1}).value().gold == 6);
}

}  // namespace gs::scenarios
