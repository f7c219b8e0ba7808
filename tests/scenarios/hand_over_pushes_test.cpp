// What is pushed to a player who goes to another game comes once and in order, or the client is told of a gap.
#include "tests/scenarios/hand_over_world.hpp"

using namespace gs;
using namespace gs::scenarios;
using wire::SessionState;
using World = HandOverWorld;

TEST_CASE("pushes to a player who moves all come, in the order of each who sends them", "[sessions][CEN-05][SES-01]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-2"};
    TestClient carl{world, player(3), "gate-2"};
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

TEST_CASE("when the game that gives a player is killed at any step, every push comes or the client is told of a gap",
          "[sessions][CEN-05][SES-03]") {
    bool is_over = false;
    int silent = 0, gaps = 0;
    for (int steps = 0; !is_over; ++steps) {
        CAPTURE(steps);
        World world;
        TestClient anna{world, player(1), "gate-1"};
        TestClient bert{world, player(2), "gate-2"};
        const auto from = world.game_of(player(1));
        REQUIRE(world.game_of(player(2)) == world.other(from));
        REQUIRE(world.drain(from).has_value());
        REQUIRE(world.run_until_left(1));
        Texts expected;
        for (int step = 0; step < steps; ++step) {
            expected.push_back(fmt::format("{:04}", step));
            bert.send(TellPlayers{{player(1)}, expected.back()});
            world.step();
        }
        is_over = world.metric(from, "gameserver_game_players") == 0;
        world.kill(from);
        world.advance(20s);
        auto heard = texts(anna);
        bool has_gap = false;
        TestClient again{world, "gate-2"};
        if (!anna.is_open()) {
            has_gap = again.resume(anna).value().state == SessionState::gap;
            world.advance(1s);
            for (auto& text : texts(again)) heard.push_back(std::move(text));
        }
        has_gap ? ++gaps : ++silent;
        if (!has_gap) REQUIRE(heard == expected);
        REQUIRE(std::is_sorted(heard.begin(), heard.end()));
    }
    CHECK(silent > 0);
    CHECK(gaps > 0);
}

TEST_CASE("pushes to a player whom the other game refuses all come, in order", "[sessions][CEN-05][SES-01]") {
    World world{1};
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-2"};
    const auto from = world.game_of(player(1));
    REQUIRE(world.game_of(player(2)) == world.other(from));
    int next = 0;
    Texts expected;
    const auto tell = [&] {
        expected.push_back(fmt::format("{:04}", ++next));
        bert.send(TellPlayers{{player(1)}, expected.back()});
    };
    Texts heard;
    for (int round = 0; round < 6; ++round) {
        REQUIRE(world.drain(from).has_value());
        REQUIRE(world.run_until_left(1));
        for (int count = 0; count < 60; ++count) {
            tell();
            world.step();
        }
        REQUIRE(world.drain(from, false).has_value());
        world.advance(1500ms);  // until the other game is asked again
        for (auto& text : texts(anna)) heard.push_back(std::move(text));
    }
    CHECK(heard == expected);
    CHECK(world.game_of(player(1)) == from);
    CHECK(anna.is_open());
}

TEST_CASE("pushes wait until the other game has answered, up to a bound", "[sessions][CEN-05][SES-01]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    const auto from = world.game_of(player(1)), to = world.other(from);
    auto& slow = dynamic_cast<runtime::VirtualLoop&>(world.node(to).home_bus().loop());
    slow.set_paused(true);
    REQUIRE(world.drain(from).has_value());
    REQUIRE(world.run_until_left(1));
    world.advance(100ms);  // asked, and not answered
    auto bus = world.speak_as("center", Role::center);
    const auto push = [&](int count) {
        Texts texts;
        for (int number = 0; number < count; ++number) {
            texts.push_back(fmt::format("{:04}", number));
            World::push(bus, world.address(from, Role::game), player(1), texts.back());
        }
        world.advance(1s);
        slow.set_paused(false);
        REQUIRE(world.run_until([&] { return world.metric(from, "gameserver_game_players") == 0; }));
        world.advance(100ms);
        return texts;
    };
    SECTION("all of a few come") {
        const auto expected = push(100);
        CHECK(texts(anna) == expected);
        CHECK(anna.is_open());
    }
    SECTION("of too many the client is told") {
        push(static_cast<int>(session::Stream::messages_max) + 1);
        REQUIRE(anna.wait_closed(1s));
        TestClient again{world, "gate-2"};
        CHECK(again.resume(anna).value().state == SessionState::gap);
        CHECK(again.request(Deposit{1, false}).value().gold == 1);
    }
    CHECK(world.game_of(player(1)) == to);
}

namespace {

/// As it was when a game that gives the player asked for it; the player has been written since.
session::TakeOver late_order(PlayerId who) {
    session::TakeOver order;
    order.player = who;
    order.online = true;
    order.last = {OwnerEpoch{1}, 1};
    return order;
}

/// Goes on with the session, over a new connection if the old one is gone.
struct Resumed {
    Resumed(World& world, TestClient& before) {
        if (before.is_open()) return;
        for (int tries = 0; tries < 5 && !client; ++tries) {
            auto next = std::make_unique<TestClient>(world, "gate-2");
            const auto entered = next->resume(before);
            if (entered) {
                client = std::move(next);
                has_gap = entered->state == SessionState::gap;
            }
            world.advance(1s);
        }
        REQUIRE(client != nullptr);
    }
    std::unique_ptr<TestClient> client;
    bool has_gap = false;
};

}  // namespace

TEST_CASE("pushes that came to a game which does not take the player over after all come, in order",
          "[sessions][CEN-05][SES-01]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-2"};
    const auto from = world.game_of(player(1)), to = world.other(from);
    REQUIRE(world.game_of(player(2)) == to);
    anna.request(Deposit{1, false}).value();
    auto giver = world.speak_as(from, Role::game);
    std::optional<runtime::Future<Result<Done>>> taken;
    Texts expected;
    for (int step = 0; step < 60; ++step) {
        expected.push_back(fmt::format("{:04}", step));
        bert.send(TellPlayers{{player(1)}, expected.back()});
        world.step();
        if (step != 20) continue;
        taken = giver.call(world.address(to, Role::game), late_order(player(1)));
        giver.send(world.address(to, Role::game), session::HandedOver{player(1), false, false});
    }
    world.advance(1s);
    REQUIRE(taken->peek().has_value());
    CHECK(taken->peek()->error().code() == Code::fenced);
    CHECK(texts(anna) == expected);
    CHECK(world.metric(to, "gameserver_game_players") == 1);
}

TEST_CASE("when more pushes came to such a game than it keeps, the client is told of a gap",
          "[sessions][CEN-05][SES-02]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    const auto from = world.game_of(player(1)), to = world.other(from);
    anna.request(Deposit{1, false}).value();
    auto giver = world.speak_as(from, Role::game);
    auto center = world.speak_as("center", Role::center);
    const auto taken = giver.call(world.address(to, Role::game), late_order(player(1)));
    giver.send(world.address(to, Role::game), session::HandedOver{player(1), false, false});
    world.step();
    for (std::size_t count = 0; count <= session::Stream::messages_max; ++count)
        World::push(center, world.address(to, Role::game), player(1), "too many");
    REQUIRE(world.run_until([&] { return taken.peek().has_value(); }));
    CHECK(taken.peek()->error().code() == Code::fenced);
    REQUIRE(anna.wait_closed(3s));
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).value().state == SessionState::gap);
    CHECK(again.request(Deposit{1, false}).value().gold == 2);
}

TEST_CASE("a late order to take a player over does not end what is forwarded", "[sessions][CEN-05][SES-01]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    const auto from = world.game_of(player(1)), to = world.other(from);
    REQUIRE(world.drains(from));
    REQUIRE(world.drain(from, false).has_value());
    auto center = world.speak_as("center", Role::center);
    auto giver = world.speak_as(to, Role::game);
    const auto taken = giver.call(world.address(from, Role::game), late_order(player(1)));
    Texts expected;
    for (int step = 0; step < 20; ++step) {
        expected.push_back(fmt::format("{:04}", step));
        World::push(center, world.address(from, Role::game), player(1), expected.back());
        world.step();
    }
    world.advance(1s);
    REQUIRE(taken.peek().has_value());
    CHECK(taken.peek()->error().code() == Code::fenced);
    CHECK(texts(anna) == expected);
}

TEST_CASE("the center hears that a player has moved although the link between the two games breaks",
          "[sessions][CEN-05]") {
    // Who sorts first makes the connection: a cut of game-2 is one from the center and from the other game.
    const std::vector<NodePlan> nodes{{"center", {Role::center, Role::login}},
                                      {"game-1", {Role::game}},
                                      {"game-2", {Role::game}},
                                      {"gate-1", {Role::gateway}},
                                      {"gate-2", {Role::gateway}},
                                      {"store", {Role::storage}}};
    World world{100, 60, nodes};
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-1"};
    const auto who = world.game_of(player(1)) == "game-2" ? player(1) : player(2);
    auto& moved = who == player(1) ? anna : bert;
    REQUIRE(world.game_of(who) == "game-2");
    auto& slow = dynamic_cast<runtime::VirtualLoop&>(world.node("center").home_bus().loop());
    slow.set_paused(true);
    REQUIRE(world.drain("game-2").has_value());
    REQUIRE(world.run_until_left(1));
    world.advance(100ms);
    world.cut_links("game-2", true);
    slow.set_paused(false);  // what it should have heard of the move is lost
    world.advance(4s);
    world.cut_links("game-2", false);
    REQUIRE(world.run_until([&] { return world.metric("game-2", "gameserver_handed_over_total") == 1; }));
    world.advance(100ms);
    world.cut_links("game-2", true);
    world.advance(20s);
    CHECK(world.game_of(who) == "game-2");
    CHECK(moved.is_open());
    world.cut_links("game-2", false);
    REQUIRE(world.run_until([&] { return world.game_of(who) == "game-1"; }));
    auto bus = world.speak_as("center", Role::center);
    World::push(bus, world.address("center", Role::center), who, "hello");
    world.advance(100ms);
    CHECK(moved.is_open());
    CHECK(texts(moved) == Texts{"hello"});
    CHECK(moved.request(Deposit{1, false}).has_value());
}

TEST_CASE("when the link between the two games breaks at any step, every push comes or the client is told of a gap",
          "[sessions][CEN-05][SES-03]") {
    // A cut of game-2 is one from the other game only.
    const std::vector<NodePlan> nodes{{"store", {Role::storage}},  {"game-1", {Role::game}},
                                      {"game-2", {Role::game}},    {"gate-1", {Role::gateway}},
                                      {"gate-2", {Role::gateway}}, {"home", {Role::center, Role::login}}};
    const bool without_storage = GENERATE(false, true);
    const auto phase = GENERATE(0ms, 500ms);  // against the heartbeats of the links
    int silent = 0, stayed = 0;
    bool is_over = false;
    for (int steps = 0; !is_over; ++steps) {
        CAPTURE(steps, without_storage, phase.count());
        World world{100, 60, nodes};
        TestClient anna{world, player(1), "gate-1"};
        TestClient bert{world, player(2), "gate-2"};
        const std::string from = "game-2";
        const auto who = world.game_of(player(1)) == from ? player(1) : player(2);
        REQUIRE(world.game_of(who) == from);
        auto& moving = who == player(1) ? anna : bert;
        auto& other = who == player(1) ? bert : anna;
        world.advance(phase);
        REQUIRE(world.drain(from).has_value());
        REQUIRE(world.run_until_left(1));
        Texts expected;
        const auto tell = [&] {
            expected.push_back(fmt::format("{:04}", expected.size()));
            other.send(TellPlayers{{who}, expected.back()});
        };
        for (int step = 0; step < steps; ++step) {
            tell();
            world.step();
        }
        is_over = world.metric(from, "gameserver_game_players") == 0;
        for (int step = 0; step < 5 && without_storage; ++step) {
            world.cut_links("store", true);
            tell();
            world.step();
        }
        world.cut_links("game-2", true);
        for (int count = 0; count < 80; ++count) {
            tell();
            world.advance(100ms);
            if (count == 30) world.cut_links("store", false);  // in time: this link lives, and a call has no answer
        }
        static_cast<void>(world.drain(from, false));
        world.cut_links("game-2", false);
        world.advance(20s);
        auto heard = texts(moving);
        Resumed resumed{world, moving};
        if (resumed.client) {
            for (auto& text : texts(*resumed.client)) heard.push_back(std::move(text));
        }
        if (!resumed.has_gap) {
            ++silent;
            REQUIRE(heard == expected);
        }
        REQUIRE(std::is_sorted(heard.begin(), heard.end()));
        if (world.game_of(who) == from) ++stayed;
    }
    CHECK(silent > 0);
    if (without_storage) CHECK(stayed > 0);
}

TEST_CASE("a client that must hear of a gap is told so until its gateway has heard it", "[sessions][CEN-05][SES-02]") {
    World world{1};
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-2"};
    const auto from = world.game_of(player(1)), to = world.other(from);
    auto& refuser = dynamic_cast<runtime::VirtualLoop&>(world.node(to).home_bus().loop());
    refuser.set_paused(true);
    REQUIRE(world.drain(from).has_value());
    REQUIRE(world.run_until_left(1));
    auto center = world.speak_as("center", Role::center);
    for (std::size_t count = 1; count <= session::Stream::messages_max + 1; ++count) {
        const bool is_last_kept = count == session::Stream::messages_max;
        World::push(center, world.address(from, Role::game), player(1), std::string(is_last_kept ? 60'000 : 5, 'x'));
    }
    world.advance(100ms);
    refuser.set_paused(false);
    // In the very turn in which the other game's answer comes, the last push makes the link to the gateway full.
    const Binary flood((8U << 20U) - 50'000);
    auto& loop = world.node(from).home_bus().loop();
    auto bus = world.speak_as(from, Role::game);
    const auto gateway = world.address("gate-1", Role::gateway);
    for (int step = 0; step < 40; ++step) {
        loop.post([&] { bus.send_raw(gateway, session::relay_to_client, 99, 0, flood); });
        world.step();
    }
    REQUIRE(anna.wait_closed(3s));
    CHECK(anna.goodbye()->reason == "too much was sent at once");
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).value().state == SessionState::gap);
    CHECK(again.request(Deposit{1, false}).value().gold == 1);
}

TEST_CASE("a push to a player whom everybody says another one has does not circle", "[sessions][CEN-05]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    const auto from = world.game_of(player(1)), to = world.other(from);
    REQUIRE(world.drains(from));
    // The center is told wrongly, and the player leaves the game that the former one forwards to.
    auto heir = world.speak_as(to, Role::game);
    const auto center = world.address("center", Role::center);
    session::MovePlayer wrong;
    wrong.player = player(1);
    wrong.game = world.address(from, Role::game);
    const auto told = heir.call(center, wrong);
    anna.leave();
    REQUIRE(world.run_until([&] { return told.peek() && world.metric(to, "gameserver_game_players") == 0; }));
    const auto gone = [&] {
        return world.metric(from, "gameserver_game_gone_total") + world.metric(to, "gameserver_game_gone_total");
    };
    const auto before = gone();
    auto sender = world.speak_as("center", Role::center);
    World::push(sender, center, player(1), "nobody hears it");
    for (int step = 0; step < 500 && gone() == before; ++step) world.step();
    CHECK(gone() == before + 1);
}
