// A game is drained: its players go to another one while their clients play on, over the same connections.
#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

using namespace gs;
using namespace gs::scenarios;
using wire::SessionState;

namespace {

struct World : TestCluster {
    explicit World(std::int64_t players_max = 100)
        : TestCluster{{{"center", {Role::center, Role::login, Role::storage}},
                       {"gate-1", {Role::gateway}},
                       {"gate-2", {Role::gateway}},
                       {"game-1", {Role::game}},
                       {"game-2", {Role::game}}}} {
        add_module(trial_module);
        set("game.resume_seconds", std::int64_t{60});
        set("game.players_max", players_max);
        start();
    }
    [[nodiscard]] std::string game_of(PlayerId who) {
        session::Locate request;
        request.player = who;
        const auto game = call(Role::center, request).value().game;
        return game.node == node("game-1").home_bus().group().self ? "game-1" : "game-2";
    }
    [[nodiscard]] std::string other(const std::string& game) { return game == "game-1" ? "game-2" : "game-1"; }
    Result<session::Draining> drain(const std::string& game, bool on = true) {
        return call_at(game, Role::game, session::Drain{on, false});
    }
    [[nodiscard]] bool drains(const std::string& game) {
        return drain(game).has_value() && run_until([&] { return metric(game, "gameserver_game_players") == 0; });
    }
};

using Texts = std::vector<std::string>;
Texts texts(TestClient& client) {
    Texts found;
    for (const auto& told : client.pushes<Told>()) found.push_back(told.text);
    return found;
}

}  // namespace

TEST_CASE("a drained game gives its players away, and they play on over the same connection",
          "[sessions][CEN-05][GAM-03]") {
    World world;
    TestClient anna{world, "gate-1"};
    TestClient bert{world, "gate-2"};
    const auto entered = anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    const auto from = world.game_of(player(1));
    anna.request(Deposit{5, false}).value();
    anna.request(WriteNotes{"quick", "periodic", "leave"}).value();
    anna.request(chat::Join{"hall"}).value();
    bert.request(chat::Join{"hall"}).value();

    REQUIRE(world.drains(from));
    CHECK(world.game_of(player(1)) == world.other(from));
    CHECK(anna.is_open());
    CHECK(anna.request(CountGold{}).value().gold == 5);
    const auto notes = anna.request(ReadNotes{}).value();
    CHECK(Texts{notes.quick, notes.periodic, notes.leave} == Texts{"quick", "periodic", "leave"});
    bert.request(TellPlayers{{player(1)}, "hello"}).value();
    CHECK(texts(anna) == Texts{"hello"});
    bert.request(chat::Say{"hall", "still there?"}).value();
    CHECK(anna.pushes<chat::Said>().size() == 1);
    CHECK(world.metric(world.other(from), "gameserver_session_gaps_total") == 0);
    CHECK(world.metric(from, "gameserver_handed_over_total") == 1);
    CHECK(world.metric("gate-1", "gameserver_client_held_seconds_count") == 1);

    SECTION("the session can be resumed where it is now") {
        anna.disconnect();
        world.advance(1s);
        TestClient again{world, "gate-2"};
        const auto back = again.resume(anna).value();
        CHECK(back.state == SessionState::resumed);
        CHECK(back.session == entered.session);
        CHECK(again.request(CountGold{}).value().gold == 5);
    }
    SECTION("the drained game may stop, and nobody notices") {
        REQUIRE(world.stop(from));
        CHECK(anna.is_open());
        CHECK(anna.request(Deposit{2, false}).value().gold == 7);
    }
}

TEST_CASE("requests that are on their way while a player moves are each done once and in order",
          "[sessions][CEN-05][SES-01]") {
    World world;
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    std::vector<std::uint64_t> sent;
    const auto send_some = [&] {
        for (int count = 0; count < 7; ++count) sent.push_back(anna.send(Deposit{1, false}));
    };
    for (int round = 0; round < 10; ++round) {
        send_some();
        const auto from = world.game_of(player(1));
        const auto began = world.drain(from);
        send_some();
        REQUIRE(began.has_value());
        send_some();
        REQUIRE(world.drains(from));
        send_some();
        REQUIRE(world.drain(from, false).has_value());
        world.advance(2s);  // others hear that it takes players again
    }
    std::uint64_t gold = 0;
    for (const auto id : sent) CHECK(anna.answer<Deposit>(id).value().gold == ++gold);
    CHECK(anna.is_open());
    CHECK(world.stored(player(1), "wallet") == fmt::format(R"({{"gold":{}}})", gold));
}

TEST_CASE("pushes to a player who moves all come, in the order of each who sends them", "[sessions][CEN-05][SES-01]") {
    World world;
    TestClient anna{world, "gate-1"};
    TestClient bert{world, "gate-2"};
    TestClient carl{world, "gate-2"};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    carl.enter(player(3)).value();
    CHECK(world.game_of(player(2)) != world.game_of(player(3)));  // one with anna, one elsewhere
    int next = 0;
    const auto tell = [&] {
        ++next;
        bert.send(TellPlayers{{player(1)}, fmt::format("b{:03}", next)});
        carl.send(TellPlayers{{player(1)}, fmt::format("c{:03}", next)});
    };
    for (int round = 0; round < 6; ++round) {
        const auto from = world.game_of(player(1));
        tell();
        REQUIRE(world.drain(from).has_value());
        for (int count = 0; count < 20; ++count) {
            tell();
            world.advance(100us);
        }
        REQUIRE(world.drains(from));
        REQUIRE(world.drain(from, false).has_value());
        world.advance(2s);
    }
    world.advance(1s);
    Texts of_bert, of_carl, expected_bert, expected_carl;
    for (const auto& text : texts(anna)) (text.front() == 'b' ? of_bert : of_carl).push_back(text);
    for (int number = 1; number <= next; ++number) {
        expected_bert.push_back(fmt::format("b{:03}", number));
        expected_carl.push_back(fmt::format("c{:03}", number));
    }
    CHECK(of_bert == expected_bert);
    CHECK(of_carl == expected_carl);
}

TEST_CASE("a player whose client is away moves as well, and the client finds it there", "[sessions][CEN-05]") {
    World world;
    TestClient anna{world, "gate-1"};
    TestClient bert{world, "gate-1"};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    anna.request(Deposit{5, false}).value();
    anna.disconnect();
    world.advance(1s);
    const auto from = world.game_of(player(1));
    bert.request(TellPlayers{{player(1)}, "before"}).value();
    REQUIRE(world.drains(from));
    bert.request(TellPlayers{{player(1)}, "after"}).value();
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).value().state == SessionState::resumed);
    CHECK(texts(again) == Texts{"before", "after"});
    CHECK(again.request(CountGold{}).value().gold == 5);
}

TEST_CASE("a drained game takes nobody until it is told to", "[sessions][CEN-05]") {
    World world;
    REQUIRE(world.drain("game-1").value().on);
    world.advance(2s);
    TestClient anna{world, "gate-1"};
    TestClient bert{world, "gate-1"};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    CHECK(world.game_of(player(1)) == "game-2");
    CHECK(world.game_of(player(2)) == "game-2");
    const auto last_one = world.drain("game-2");
    REQUIRE_FALSE(last_one.has_value());
    CHECK(last_one.error().code() == Code::unavailable);
    CHECK_FALSE(world.drain("game-1", false).value().on);
    world.advance(2s);
    REQUIRE(world.drains("game-2"));
    CHECK(world.game_of(player(1)) == "game-1");
    CHECK(anna.request(CountGold{}).has_value());
}

TEST_CASE("players whom no other game takes stay where they are and play on", "[sessions][CEN-05]") {
    World world{1};
    TestClient anna{world, "gate-1"};
    TestClient bert{world, "gate-1"};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    const auto from = world.game_of(player(1));
    REQUIRE(world.drain(from).has_value());
    for (int count = 0; count < 50; ++count) {
        CHECK(anna.request(Deposit{1, false}).value().gold == static_cast<std::uint64_t>(count) + 1);
        world.advance(100ms);
    }
    CHECK(world.game_of(player(1)) == from);
    CHECK(world.drain(from).value().players == 1);
    bert.leave();
    REQUIRE(world.drains(from));
    CHECK(anna.request(Deposit{1, false}).value().gold == 51);
}

TEST_CASE("a client whose game is lost while it moves resumes its session", "[sessions][CEN-05][SES-03]") {
    World world;
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    anna.request(Deposit{5, false}).value();
    const auto from = world.game_of(player(1));
    const bool kills_heir = GENERATE(false, true);
    // The first message of the hand-over is on its way, and never answered.
    world.cut_links(kills_heir ? world.other(from) : from, true);
    static_cast<void>(world.drain(from));
    world.advance(1s);
    world.kill(kills_heir ? world.other(from) : from);
    world.cut_links(kills_heir ? world.other(from) : from, false);
    world.advance(20s);
    if (anna.is_open()) {
        CHECK(anna.request(CountGold{}).value().gold == 5);
    } else {
        TestClient again{world, "gate-2"};
        again.resume(anna).value();
        CHECK(again.request(CountGold{}).value().gold == 5);
    }
}
