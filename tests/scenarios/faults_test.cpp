// Nodes that die, stop and come back in any order.
#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

namespace {

std::vector<NodePlan> five_nodes() {
    return {{"center", {Role::center}},
            {"game", {Role::game}},
            {"gate", {Role::gateway}},
            {"login", {Role::login}},
            {"storage", {Role::storage}}};
}

}  // namespace

TEST_CASE("roles come up in any order: start_order_free", "[scenario][reliability]") {
    std::vector<std::string> names{"center", "game", "gate", "login", "storage"};
    std::mt19937_64 random{4};
    for (int round = 0; round < 12; ++round) {
        std::shuffle(names.begin(), names.end(), random);
        CAPTURE(names);
        TestCluster cluster{five_nodes()};
        for (const auto& name : names) {
            cluster.start(name);
            cluster.advance(std::chrono::milliseconds{random() % 4000});
        }
        cluster.start();
        TestClient anna{cluster};
        anna.enter(player(1)).value();
        CHECK(anna.request(echo::Echo{"up"}).value().text == "up");
    }
}

TEST_CASE("play goes on without a center and a restarted one knows who is here", "[scenario][reliability]") {
    TestCluster cluster{{{"center", {Role::center}},
                         {"gate1", {Role::gateway}},
                         {"gate2", {Role::gateway}},
                         {"rest", {Role::game, Role::storage}}}};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster, "gate1"};
    anna.enter(player(1)).value();
    anna.request(chat::Join{"market"}).value();
    anna.request(chat::Say{"market", "before"}).value();
    anna.request(Deposit{5}).value();

    cluster.kill("center");
    for (int second = 0; second < 10; ++second) {
        cluster.advance(1s);
        REQUIRE(anna.request(Deposit{1}).value().gold == static_cast<std::uint64_t>(6 + second));
    }
    TestClient early{cluster, "gate1"};
    const auto refused = early.enter(player(2));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == Code::unavailable);

    cluster.start();
    cluster.advance(2s);
    CHECK(anna.is_open());
    CHECK(cluster.metric("center", "gameserver_online_players") == 1);
    TestClient bert{cluster, "gate2"};
    bert.enter(player(2)).value();
    bert.request(chat::Join{"market"}).value();
    const auto number = bert.request(chat::Say{"market", "after"}).value().line;
    CHECK(number > 1);
    const auto lines = anna.pushes<chat::Said>();
    REQUIRE(lines.size() == 2);
    CHECK(lines.back().line.number == number);

    TestClient newer{cluster, "gate2"};
    newer.enter(player(1)).value();
    REQUIRE(anna.wait_closed());
    CHECK(anna.goodbye()->code == Code::fenced);
    CHECK(newer.request(Deposit{1}).value().gold == 16);
}

TEST_CASE("a gateway that meets a restarted center late gives up sessions that moved", "[scenario][reliability]") {
    TestCluster cluster{{{"center", {Role::center}},
                         {"gate1", {Role::gateway}},
                         {"rest", {Role::game, Role::storage}},
                         {"z", {Role::gateway}}}};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient old{cluster, "z"};
    old.enter(player(1)).value();
    cluster.kill("center");
    cluster.advance(1s);
    cluster.cut_links("z", true);
    cluster.start("center");
    REQUIRE(cluster.run_until([&] { return cluster.node("center").is_ready() && cluster.node("gate1").is_ready(); }));
    TestClient newer{cluster, "gate1"};
    newer.enter(player(1)).value();
    cluster.cut_links("z", false);
    REQUIRE(old.wait_closed(30s));
    CHECK(newer.request(Deposit{1}).value().gold == 1);
    cluster.advance(5s);
    CHECK(cluster.metric("center", "gameserver_online_players") == 1);
}

TEST_CASE("clients of a lost game are closed and may come back", "[scenario][reliability]") {
    TestCluster cluster{five_nodes()};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(Deposit{5}).value();
    cluster.kill("game");
    REQUIRE(anna.wait_closed(10s));
    REQUIRE(anna.goodbye().has_value());
    CHECK(anna.goodbye()->code == Code::unavailable);
    CHECK(anna.goodbye()->reconnect);

    cluster.start();
    TestClient again{cluster};
    again.enter(player(1)).value();
    CHECK(again.request(Deposit{1}).value().gold == 6);
}

TEST_CASE("a request to a game that dies ends with the connection: call_to_dead_node_ends", "[scenario][reliability]") {
    TestCluster cluster{five_nodes()};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    TestClient late{cluster};
    anna.enter(player(1)).value();
    late.hello().value();
    anna.send(Wait{60'000});
    cluster.advance(100ms);
    late.send(wire::Enter{cluster.token(player(2))});
    cluster.kill("game");
    CHECK(anna.wait_closed(15s));
    CHECK(late.wait_closed(15s));
    REQUIRE(late.goodbye().has_value());
    CHECK(late.goodbye()->reconnect);
}

TEST_CASE("players of a lost gateway are saved and dropped", "[scenario][reliability]") {
    TestCluster cluster{
        {{"gate1", {Role::gateway}}, {"gate2", {Role::gateway}}, {"rest", {Role::center, Role::game, Role::storage}}}};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster, "gate1"};
    TestClient bert{cluster, "gate2"};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    anna.request(WriteNotes{"", "", "saved by the game"}).value();
    cluster.kill("gate1");
    cluster.advance(7s);
    CHECK(cluster.stored(player(1), "leave_note") == R"({"text":"saved by the game"})");
    CHECK(cluster.metric("rest", "gameserver_game_players") == 1);
    CHECK(cluster.metric("rest", "gameserver_online_players") == 1);
    CHECK(bert.request(echo::Echo{"undisturbed"}).value().text == "undisturbed");
    TestClient again{cluster, "gate2"};
    again.enter(player(1)).value();
    CHECK(again.request(ReadNotes{}).value().leave == "saved by the game");
}

TEST_CASE("a graceful stop of a node says goodbye and saves everything", "[scenario][GAM-01]") {
    TestCluster cluster{{{"play", {Role::gateway, Role::center, Role::game}}, {"storage", {Role::storage}}}};
    cluster.add_module(trial_module);
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::uint64_t id = 1; id <= 20; ++id) {
        clients.push_back(std::make_unique<TestClient>(cluster));
        clients.back()->enter(player(id)).value();
        clients.back()->request(WriteNotes{"", "", fmt::format("of {}", id)}).value();
    }
    clients.front()->send(Wait{300});  // a handler that is still busy
    cluster.advance(10ms);
    REQUIRE(cluster.stop("play"));
    for (std::uint64_t id = 1; id <= 20; ++id) {
        CHECK(cluster.stored(player(id), "leave_note") == fmt::format(R"({{"text":"of {}"}})", id));
        REQUIRE(clients[id - 1]->goodbye().has_value());
        CHECK(clients[id - 1]->goodbye()->reconnect);
        CHECK(clients[id - 1]->goodbye()->reason == "the server is stopping");
    }
}

TEST_CASE("a game that stops hands its players over to another one", "[scenario][reliability]") {
    TestCluster cluster{{{"front", {Role::gateway, Role::center}},
                         {"game1", {Role::game}},
                         {"game2", {Role::game}},
                         {"storage", {Role::storage}}}};
    cluster.add_module(trial_module);
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::uint64_t id = 1; id <= 10; ++id) {
        clients.push_back(std::make_unique<TestClient>(cluster));
        clients.back()->enter(player(id)).value();
        clients.back()->request(WriteNotes{"", "", fmt::format("of {}", id)}).value();
    }
    cluster.advance(2s);
    CHECK(cluster.metric("game1", "gameserver_game_players") == 5);
    CHECK(cluster.metric("game2", "gameserver_game_players") == 5);
    REQUIRE(cluster.stop("game1"));
    cluster.advance(1s);
    for (std::uint64_t id = 1; id <= 10; ++id) {
        auto& client = *clients[id - 1];
        if (client.is_open()) {
            CHECK(client.request(ReadNotes{}).value().leave == fmt::format("of {}", id));
            continue;
        }
        TestClient again{cluster};
        again.enter(player(id)).value();
        CHECK(again.request(ReadNotes{}).value().leave == fmt::format("of {}", id));
    }
}

}  // namespace gs::scenarios
