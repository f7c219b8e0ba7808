// A game is drained: its players go to another one while their clients play on, over the same connections.
#include "modules/chat/messages.hpp"
#include "tests/scenarios/hand_over_world.hpp"

using namespace gs;
using namespace gs::scenarios;
using wire::SessionState;
using World = HandOverWorld;

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
    TestClient anna{world, player(1), "gate-1"};
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

TEST_CASE("a player whose client is away moves as well, and the client finds it there", "[sessions][CEN-05]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-1"};
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
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-1"};
    CHECK(world.game_of(player(1)) == "game-2");
    CHECK(world.game_of(player(2)) == "game-2");
    CHECK(world.node("game-1").not_ready_because() ==
          "role game is drained: its players go to other nodes, and it takes none");
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
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-1"};
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
    TestClient anna{world, player(1), "gate-1"};
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

TEST_CASE("a game that is asked too late to take a player over does not take it", "[sessions][CEN-05][GAM-05]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    anna.request(Deposit{5, false}).value();
    const auto from = world.game_of(player(1)), to = world.other(from);
    // As it was when the game that gives asked; it has given up since and goes on.
    session::TakeOver late;
    late.player = player(1);
    late.online = true;
    late.last = {OwnerEpoch{1}, 2};
    anna.request(Deposit{1, false}).value();
    anna.request(Deposit{1, false}).value();
    const auto taken = world.call_at(to, Role::game, late);
    REQUIRE_FALSE(taken.has_value());
    CHECK(taken.error().code() == Code::fenced);
    CHECK(anna.request(Deposit{1, false}).value().gold == 8);
    CHECK(anna.is_open());
    CHECK(world.game_of(player(1)) == from);
    CHECK(world.metric(to, "gameserver_game_players") == 0);
}

TEST_CASE("a player is taken over by one order at a time, and the next one ends", "[sessions][CEN-05]") {
    World world;
    REQUIRE(world.drain("game-1").has_value());
    world.advance(2s);  // others hear of it
    auto bus = world.speak_as("game-2", Role::game);
    const auto to = world.address("game-2", Role::game);
    session::TakeOver order;
    order.player = player(1);
    const auto first = bus.call(to, order);
    const auto second = bus.call(to, order);
    REQUIRE(world.run_until([&] { return first.peek() && second.peek(); }, 1s));
    CHECK(first.peek()->has_value());
    REQUIRE_FALSE(second.peek()->has_value());
    CHECK(second.peek()->error().code() == Code::conflict);
    bus.send(to, session::HandedOver{player(1), true, false});
    const auto began = world.time().now();
    TestClient anna{world, player(1), "gate-1"};
    CHECK(anna.request(Deposit{1, false}).value().gold == 1);
    CHECK(world.time().now() - began < 1s);

    // A later one is served when the first one waits for its end.
    anna.leave();
    REQUIRE(world.run_until([&] { return world.metric("game-2", "gameserver_game_players") == 0; }));
    REQUIRE(world.call_at("game-2", Role::game, order).has_value());
    const auto third = world.call_at("game-2", Role::game, order);
    REQUIRE_FALSE(third.has_value());
    CHECK(third.error().code() == Code::fenced);  // it is the owner already
    const auto again = world.time().now();
    TestClient back{world, player(1), "gate-1"};
    CHECK(world.time().now() - again < 1s);
}

TEST_CASE("a client whose request takes long is not disturbed while its game is drained", "[sessions][CEN-05]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    const auto from = world.game_of(player(1));
    std::uint64_t slow = 0;
    SECTION("it runs already") {
        slow = anna.send(Wait{15'000});
        world.advance(10ms);
        REQUIRE(world.drain(from).has_value());
    }
    SECTION("it is ahead of the hand-over in the end") {
        anna.send(Wait{1000});
        world.advance(10ms);
        REQUIRE(world.drain(from).has_value());
        world.advance(200ms);
        slow = anna.send(Wait{15'000});
    }
    world.advance(18s);
    CHECK(anna.is_open());
    CHECK(anna.has_answer(slow));
    REQUIRE(world.run_until([&] { return world.metric(from, "gameserver_game_players") == 0; }));
    CHECK(anna.is_open());
    CHECK(anna.request(Deposit{1, false}).value().gold == 1);
    CHECK(world.game_of(player(1)) == world.other(from));
}

TEST_CASE("a game that refuses players is not asked again at once", "[sessions][CEN-05]") {
    World world{1};
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-1"};
    const auto from = world.game_of(player(1));
    REQUIRE(world.drain(from).has_value());
    const auto before = guests_left;
    world.advance(10s);
    CHECK(guests_left - before >= 8);
    CHECK(guests_left - before <= 11);
    CHECK(anna.is_open());
}

TEST_CASE("what the enter hooks of a player who stays have changed is durable before the client goes on",
          "[sessions][CEN-05][GAM-05]") {
    World world{1};
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-1"};
    const auto from = world.game_of(player(1));
    CHECK(anna.request(CountVisits{}).value().entered == 1);
    REQUIRE(world.drain(from).has_value());
    REQUIRE(world.run_until_left(1));
    const auto asked = anna.send(CountVisits{});
    CHECK(anna.answer<CountVisits>(asked).value().entered == 2);
    CHECK(world.stored(player(1), "visits") == R"({"entered":2,"left":1})");
}

TEST_CASE("the center hears in the end that a player has moved", "[sessions][CEN-05]") {
    // Who sorts first makes the connection, so a cut of the giver's address is one between it and the center.
    World world{100,
                60,
                {{"a-center", {Role::center, Role::login}},
                 {"b-game", {Role::game}},
                 {"c-game", {Role::game}},
                 {"d-storage", {Role::storage}},
                 {"e-gate", {Role::gateway}}}};
    const auto is_on = [&](PlayerId who, const std::string& game) {
        session::Locate request;
        request.player = who;
        return world.call(Role::center, request).value().game == world.address(game, Role::game);
    };
    TestClient anna{world, player(1)};
    TestClient bert{world, player(2)};
    const auto who = is_on(player(1), "b-game") ? player(1) : player(2);
    auto& client = who == player(1) ? anna : bert;
    auto& other = who == player(1) ? bert : anna;
    REQUIRE(is_on(who, "b-game"));
    world.cut_links("b-game", true);
    REQUIRE(world.drain("b-game").has_value());
    REQUIRE(world.run_until([&] { return world.metric("b-game", "gameserver_game_players") == 0; }));
    world.advance(100s);
    CHECK(client.is_open());
    CHECK(client.request(Deposit{1, false}).value().gold == 1);
    CHECK(is_on(who, "b-game"));  // as far as it knows
    world.cut_links("b-game", false);
    REQUIRE(world.run_until([&] { return is_on(who, "c-game"); }));
    other.request(TellPlayers{{who}, "hello"}).value();
    world.advance(100ms);
    CHECK(texts(client) == Texts{"hello"});
}

TEST_CASE("a client that is gone for good while its player moves is gone from both games", "[sessions][CEN-05]") {
    for (int steps = 0; steps < 40; ++steps) {
        CAPTURE(steps);
        World world{100, 0};  // whoever loses the connection is gone
        TestClient anna{world, player(1), "gate-1"};
        anna.request(WriteNotes{"", "kept", ""}).value();
        const auto from = world.game_of(player(1));
        REQUIRE(world.drain(from).has_value());
        REQUIRE(world.run_until_left(1));
        for (int count = 0; count < steps; ++count) world.step();
        anna.disconnect();
        world.advance(3s);
        CHECK(world.metric("game-1", "gameserver_game_players") + world.metric("game-2", "gameserver_game_players") ==
              0);
        TestClient again{world, "gate-2"};
        CHECK_FALSE(again.resume(anna).has_value());
        TestClient anew{world, player(1), "gate-2"};
        CHECK(anew.request(ReadNotes{}).value().periodic == "kept");
    }
}
