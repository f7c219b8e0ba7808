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

/// A gateway with the center, two games, storage; a client who plays on the first game.
class TwoGames {
public:
    TwoGames()
        : cluster{{{"front", {Role::gateway, Role::center}},
                   {"game1", {Role::game}},
                   {"game2", {Role::game}},
                   {"storage", {Role::storage}}}} {
        cluster.add_module(trial_module);
        cluster.start();
    }
    /// The game's stop begins; whoever waits for it is the test.
    void begin_stop(const std::string& game) {
        cluster.node(game).stop([this] { stopped = true; });
        cluster.advance(100ms);
    }
    /// The game that holds the only player.
    [[nodiscard]] std::string holder() {
        cluster.advance(1500ms);
        return cluster.metric("game1", "gameserver_game_players") == 1 ? "game1" : "game2";
    }

    TestCluster cluster;
    bool stopped = false;
};

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

TEST_CASE("an attach waits eight seconds for a center that waits for storage", "[scenario][reliability][CEN-01]") {
    TestCluster cluster{five_nodes()};
    cluster.start();
    cluster.kill("center");
    cluster.cut_links("storage", true);
    cluster.start("center");
    cluster.advance(3s);
    REQUIRE_FALSE(cluster.node("center").is_ready());
    // A client hears of it at once, since its gateway sees that no center is ready.
    TestClient anna{cluster};
    const auto told = anna.enter(player(1));
    REQUIRE_FALSE(told.has_value());
    CHECK(told.error().code() == Code::unavailable);
    CHECK(told.error().message() == "the center that keeps this is not ready right now; try again in a moment");

    // What a gateway has sent just before it sees that.
    const cluster::RoleBus gateway{cluster.node("gate").home_bus(), Role::gateway};
    const cluster::RoleBus center{cluster.node("center").home_bus(), Role::center};
    REQUIRE(gateway.bus().find(center.address()) != nullptr);
    auto asking = gateway;
    const auto attached = asking.call(center.address(), session::Attach{player(1)}, 10s);
    cluster.advance(4s);
    CHECK_FALSE(attached.peek());
    SECTION("storage comes back in time") {
        cluster.cut_links("storage", false);
        cluster.advance(3900ms);
        REQUIRE(attached.peek());
        REQUIRE(attached.peek()->has_value());
        CHECK((*attached.peek())->game.role == Role::game);
    }
    SECTION("storage does not come back") {
        cluster.advance(3900ms);
        CHECK_FALSE(attached.peek());
        cluster.advance(200ms);
        REQUIRE(attached.peek());
        REQUIRE_FALSE(attached.peek()->has_value());
        CHECK(attached.peek()->error().code() == Code::unavailable);
        CHECK(attached.peek()->error().message() == "logins wait for the center; try again in a moment");
    }
}

TEST_CASE("without a game or its storage an enter is refused at once with the reason", "[scenario][reliability]") {
    TestCluster cluster{five_nodes()};
    cluster.start();
    TestClient anna{cluster};
    anna.hello().value();
    const std::string lost = GENERATE(as<std::string>{}, "game", "storage");
    cluster.kill(lost);
    cluster.advance(1s);
    const auto refused = anna.enter(player(1));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == Code::unavailable);
    CHECK(refused.error().message() == (lost == "game" ? "no game server is ready right now; try again in a moment"
                                                       : "no storage is reachable right now"));
    cluster.start();
    TestClient again{cluster};
    CHECK(again.enter(player(1)).has_value());
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

TEST_CASE("a login ends the older one although the center lost sight of its game", "[scenario][reliability]") {
    // The center's link to the game breaks, and no other: the game goes on for the gateway.
    TestCluster cluster{{{"center", {Role::center}},
                         {"game", {Role::game}},
                         {"gate1", {Role::gateway}},
                         {"gate2", {Role::gateway}},
                         {"storage", {Role::storage}}}};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient old{cluster, "gate1"};
    old.enter(player(1)).value();
    cluster.cut_links("game", true);
    cluster.advance(7s);
    CHECK(old.request(Deposit{1}).value().gold == 1);
    cluster.cut_links("game", false);
    cluster.advance(5s);
    TestClient newer{cluster, "gate2"};
    newer.enter(player(1)).value();
    REQUIRE(old.wait_closed(1s));
    CHECK(old.goodbye()->code == Code::fenced);
    CHECK(newer.request(Deposit{1}).value().gold == 2);
}

TEST_CASE("what a game says for a player who has moved on is refused", "[scenario][reliability]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    session::ChannelAppend stale;
    stale.channel = "market";
    stale.command = command_of<chat::Said>;
    stale.keep = 1;
    stale.line = msgpack::encode(chat::Line{0, player(1), "from the past"});
    stale.player = player(1);
    stale.epoch = ConnectionEpoch{1};
    const auto refused = cluster.call(Role::center, stale);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == Code::fenced);
    CHECK(anna.request(chat::Say{"market", "from now"}).value().line > 0);
}

TEST_CASE("a gateway that stops answers who has not said hello in the way that hello is answered", "[scenario]") {
    TestCluster cluster;
    cluster.start();
    TestClient early{cluster};
    cluster.advance(1s);
    REQUIRE(cluster.stop("all"));
    REQUIRE(early.wait_closed(1s));
    REQUIRE(early.server_hello().has_value());
    CHECK(early.server_hello()->code == Code::unavailable);
}

TEST_CASE("clients of a lost game are closed and may come back", "[scenario][reliability][CLU-05]") {
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

TEST_CASE("a player stays with the game that stops until it has saved and let go", "[scenario][reliability][CEN-01]") {
    TwoGames world;
    auto& cluster = world.cluster;
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(WriteNotes{"", "", "not saved yet"}).value();
    const auto holder = world.holder();
    anna.send(Wait{3'000});  // her turn is taken, so the stopping game cannot save her yet
    cluster.advance(10ms);
    world.begin_stop(holder);
    cluster.advance(1s);
    CHECK(anna.is_open());

    // The other game must not load her now: what the first one is about to save would be lost.
    TestClient early{cluster};
    const auto refused = early.enter(player(1));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == Code::unavailable);
    CHECK(refused.error().message() == "this game server is stopping");
    TestClient other{cluster};
    CHECK(other.enter(player(2)).has_value());  // new players go elsewhere
    CHECK_FALSE(world.stopped);

    REQUIRE(cluster.run_until([&] { return world.stopped; }, 5s));
    TestClient again{cluster};
    again.enter(player(1)).value();
    CHECK(again.request(ReadNotes{}).value().leave == "not saved yet");
    CHECK(cluster.metric(holder, "gameserver_commit_fenced_total") == 0);
}

TEST_CASE("a game that is lost while it stops gives its players free", "[scenario][reliability][CEN-01][CLU-05]") {
    TwoGames world;
    auto& cluster = world.cluster;
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(Deposit{5}).value();
    const auto holder = world.holder();
    anna.send(Wait{3'600'000});
    cluster.advance(10ms);
    world.begin_stop(holder);
    TestClient early{cluster};
    REQUIRE_FALSE(early.enter(player(1)).has_value());

    cluster.kill(holder);
    cluster.advance(10s);
    CHECK_FALSE(world.stopped);
    TestClient again{cluster};
    again.enter(player(1)).value();
    CHECK(again.request(Deposit{1}).value().gold == 6);
}

}  // namespace gs::scenarios
