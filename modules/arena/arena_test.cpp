#include <catch2/catch.hpp>

#include "modules/arena/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace arena {

using gs::Code;
using gs::PlayerId;
using gs::Role;
using gs::scenarios::player;
using gs::scenarios::TestClient;
using gs::scenarios::TestCluster;
using namespace std::chrono_literals;

namespace {

const Place* place_of(const std::vector<Place>& places, PlayerId who) {
    for (const auto& place : places) {
        if (place.player == who) return &place;
    }
    return nullptr;
}

}  // namespace

TEST_CASE("everyone in an arena sees where the others walk, so many times a second", "[arena][MSG-04][RTE-08]") {
    TestCluster cluster{{{"center", {Role::center, Role::storage}},
                         {"game", {Role::game}},
                         {"gate1", {Role::gateway}},
                         {"gate2", {Role::gateway}}}};
    cluster.set("module.arena.frames_per_second", std::int64_t{10});
    cluster.start();
    TestClient anna{cluster, player(1), "gate1"};
    TestClient bert{cluster, player(2), "gate2"};
    TestClient cleo{cluster, player(3), "gate2"};
    CHECK(anna.request(Enter{"north"}).value().places.size() == 1);
    const auto entered = bert.request(Enter{"north"}).value();
    CHECK(entered.places.size() == 2);
    CHECK(entered.frames_per_second == 10);
    CHECK(cleo.request(Enter{"south"}).value().places.size() == 1);
    bert.request(Walk{7, 9}).value();
    static_cast<void>(anna.pushes<Frame>());
    cluster.advance(1s);

    const auto frames = anna.pushes<Frame>();
    CHECK(frames.size() >= 9);
    CHECK(frames.size() <= 11);
    for (std::size_t index = 1; index < frames.size(); ++index)
        CHECK(frames[index].number == frames[index - 1].number + 1);
    REQUIRE(frames.back().places.size() == 2);
    CHECK(place_of(frames.back().places, player(1))->x == entered.width / 2);
    CHECK(place_of(frames.back().places, player(2))->x == 7);
    CHECK(place_of(frames.back().places, player(2))->y == 9);
    for (const auto& frame : cleo.pushes<Frame>()) CHECK(frame.places.size() == 1);
}

TEST_CASE("an arena refuses what it cannot do", "[arena]") {
    TestCluster cluster;
    cluster.set("module.arena.players_max", std::int64_t{1});
    cluster.set("module.arena.width", std::int64_t{10});
    cluster.start();
    TestClient anna{cluster, player(1)};
    CHECK(anna.request(Walk{1, 1}).error().code() == Code::not_found);
    CHECK(anna.request(Shout{"hello"}).error().code() == Code::not_found);
    CHECK(anna.request(Enter{""}).error().code() == Code::invalid);
    CHECK(anna.request(Enter{std::string(51, 'a')}).error().code() == Code::invalid);
    anna.request(Enter{"north"}).value();
    anna.request(Enter{"north"}).value();
    CHECK(anna.request(Walk{10, 1}).error().message() == "x and y are less than 10, not 10 and 1");
    CHECK(anna.request(Shout{""}).error().code() == Code::invalid);
    TestClient bert{cluster, player(2)};
    CHECK(bert.request(Enter{"north"}).error().code() == Code::busy);
    anna.request(Enter{"south"}).value();
    CHECK(bert.request(Enter{"north"}).value().places.size() == 1);
}

TEST_CASE("who leaves an arena is seen there no more, and comes back to where it was", "[arena][RTE-08]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    anna.request(Enter{"north"}).value();
    {
        TestClient bert{cluster, player(2)};
        bert.request(Enter{"north"}).value();
        bert.request(Walk{7, 9}).value();
        bert.leave();
        REQUIRE(cluster.run_until([&] { return cluster.metric("all", "gameserver_game_players") == 1; }));
    }
    static_cast<void>(anna.pushes<Frame>());
    cluster.advance(200ms);
    CHECK(anna.pushes<Frame>().back().places.size() == 1);
    // It was stored when the player left.
    TestClient bert{cluster, player(2)};
    cluster.advance(200ms);
    const auto seen = bert.pushes<Frame>();
    REQUIRE_FALSE(seen.empty());
    CHECK(place_of(seen.back().places, player(2))->x == 7);

    bert.request(Leave{}).value();
    static_cast<void>(bert.pushes<Frame>());
    cluster.advance(200ms);
    CHECK(bert.pushes<Frame>().empty());
    CHECK(anna.pushes<Frame>().back().places.size() == 1);
}

TEST_CASE("one who was lost to another game is shown no more", "[arena][RTE-08]") {
    TestCluster cluster;
    cluster.add_module(gs::trial_module);
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    anna.request(Enter{"north"}).value();
    bert.request(Enter{"north"}).value();
    static_cast<void>(cluster.call(Role::storage, gs::storage::Open{{"player", 2}}).value());
    bert.send(gs::scenarios::Deposit{1});  // is refused; no leave hook runs
    REQUIRE(bert.wait_closed());
    REQUIRE(cluster.run_until([&] { return cluster.metric("all", "gameserver_game_players") == 1; }));
    static_cast<void>(anna.pushes<Frame>());
    cluster.advance(200ms);
    CHECK(anna.pushes<Frame>().back().places.size() == 1);
}

TEST_CASE("an arena goes on for a client that comes back over a new connection", "[arena][RTE-08]") {
    TestCluster cluster;
    cluster.set("game.resume_seconds", std::int64_t{60});
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    anna.request(Enter{"north"}).value();
    bert.request(Enter{"north"}).value();
    bert.disconnect();
    cluster.advance(1s);
    anna.request(Shout{"missed"}).value();
    CHECK(anna.pushes<Frame>().back().places.size() == 2);
    TestClient again{cluster};
    CHECK(again.resume(bert).value().state == gs::wire::SessionState::resumed);
    anna.request(Shout{"heard"}).value();
    cluster.advance(200ms);
    CHECK(again.pushes<Frame>().back().places.size() == 2);
    const auto heard = again.pushes<Shouted>();
    REQUIRE(heard.size() == 1);
    CHECK(heard.front().text == "heard");
    CHECK(heard.front().player == player(1));
}

TEST_CASE("the players of an arena meet again in the game that they are handed over to",
          "[arena][RTE-08][SES-03][NET-16]") {
    TestCluster cluster{{{"center", {Role::center, Role::storage}},
                         {"gate", {Role::gateway}},
                         {"game-1", {Role::game}},
                         {"game-2", {Role::game}}}};
    cluster.set("game.resume_seconds", std::int64_t{60});
    cluster.start();
    // Both in one of the games.
    cluster.call_at("game-2", Role::game, gs::session::Drain{true, false}).value();
    cluster.advance(1s);
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    anna.request(Enter{"north"}).value();
    bert.request(Enter{"north"}).value();
    bert.request(Walk{7, 9}).value();
    cluster.call_at("game-2", Role::game, gs::session::Drain{false, false}).value();
    cluster.advance(1s);
    cluster.call_at("game-1", Role::game, gs::session::Drain{true, false}).value();
    REQUIRE(cluster.run_until([&] { return cluster.metric("game-2", "gameserver_game_players") == 2; }));
    cluster.advance(1s);
    CHECK(cluster.metric("game-1", "gameserver_game_scenes") == 0);
    static_cast<void>(anna.pushes<Frame>());
    cluster.advance(200ms);
    const auto frames = anna.pushes<Frame>();
    REQUIRE_FALSE(frames.empty());
    REQUIRE(frames.back().places.size() == 2);
    CHECK(place_of(frames.back().places, player(2))->x == 7);
    CHECK(anna.is_open());
    CHECK(bert.is_open());
}

}  // namespace arena
