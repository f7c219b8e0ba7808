// Players' data: loaded on enter, changed as a whole or not at all, saved when its policy says so.
#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"
#include "modules/profile/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

namespace {

std::vector<NodePlan> three_nodes() {
    return {{"front", {Role::gateway, Role::center}}, {"game", {Role::game}}, {"storage", {Role::storage}}};
}

}  // namespace

TEST_CASE("players are looked at some at a time, and all of them in each half second", "[scenario][GAM-01][GAM-05]") {
    TestCluster cluster;
    cluster.set("game.resume_seconds", std::int64_t{2});
    cluster.start();
    constexpr std::size_t count = 200;
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::size_t id = 1; id <= count; ++id) {
        clients.push_back(std::make_unique<TestClient>(cluster, player(id)));
        cluster.advance(20ms);  // so many hellos of one address are let in
    }
    clients.clear();  // their connections are lost
    const auto here = [&] { return cluster.call(Role::game, session::ListPlayers{}).value().players.size(); };
    CHECK(here() == count);
    std::size_t before = count, most = 0;
    runtime::Duration took{};
    for (int turn = 0; turn < 4000 && before > 0; ++turn) {
        cluster.advance(1ms);
        const auto now = here();
        most = std::max(most, before - now);
        if (now < count) took += 1ms;
        before = now;
    }
    CHECK(before == 0);
    CHECK(most < count / 2);
    CHECK(took < 500ms);
}

TEST_CASE("a player enters and a request is answered", "[scenario][RTE-01]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster};
    CHECK(anna.enter(player(7)).value().player == player(7));
    CHECK(anna.server_hello()->heartbeat_ms == 15'000);
    CHECK(anna.request(echo::Echo{"hello"}).value().text == "hello");
    CHECK(cluster.metric("all", "gameserver_online_players") == 0);  // told once a second
    cluster.advance(2s);
    CHECK(cluster.metric("all", "gameserver_online_players") == 1);
    CHECK(cluster.metric("all", "gameserver_gateway_players") == 1);
}

TEST_CASE("data is saved when a player leaves and loaded when it comes back", "[scenario][GAM-01]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    {
        TestClient anna{cluster};
        anna.enter(player(1)).value();
        anna.request(profile::SetMotto{"festina lente"}).value();
        anna.request(WriteNotes{"", "", "kept"}).value();
        CHECK(cluster.stored(player(1), "leave_note").empty());
    }
    cluster.advance(2s);
    CHECK(cluster.stored(player(1), "leave_note") == R"({"text":"kept"})");
    CHECK(cluster.metric("all", "gameserver_game_players") == 0);

    TestClient again{cluster};
    again.enter(player(1)).value();
    const auto own = again.request(profile::ViewOwnProfile{}).value();
    CHECK(own.shown.motto == "festina lente");
    CHECK(own.logins == 2);
    CHECK(again.request(ReadNotes{}).value().leave == "kept");
}

TEST_CASE("a confirmed change is stored when its answer comes", "[scenario][NEW-04]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    CHECK(anna.request(Deposit{5}).value().gold == 5);
    CHECK(cluster.stored(player(1), "wallet") == R"({"gold":5})");
}

TEST_CASE("neither answer nor push of a confirmed change leaves before storage has it", "[scenario][NEW-04]") {
    TestCluster cluster{three_nodes()};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();

    cluster.advance(1s);
    cluster.cut_links("storage", true);
    const auto deposit = anna.send(Deposit{5, true});
    cluster.advance(3s);
    CHECK_FALSE(anna.has_answer(deposit));
    CHECK(bert.pushes<Told>().empty());
    CHECK(bert.request(echo::Echo{"alive"}).value().text == "alive");

    cluster.cut_links("storage", false);
    CHECK(anna.answer<Deposit>(deposit).value().gold == 5);
    CHECK(cluster.stored(player(1), "wallet") == R"({"gold":5})");
    REQUIRE(bert.pushes<Told>().size() == 1);
}

TEST_CASE("others see what is committed of a player and nothing of a turn that is under way",
          "[scenario][GAM-06][NEW-04]") {
    TestCluster cluster{three_nodes()};
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    anna.request(Deposit{5}).value();
    CHECK(bert.request(LookUpGold{player(1)}).value().gold == 5);
    CHECK(anna.request(LookUpGold{player(1)}).value().gold == 5);

    SECTION("of a handler that has changed it and still waits") {
        const auto failing = anna.send(LateFailingDeposit{100});
        cluster.advance(50ms);
        CHECK(bert.request(LookUpGold{player(1)}).value().gold == 5);
        CHECK_FALSE(anna.has_answer(failing));
        CHECK_FALSE(anna.answer<LateFailingDeposit>(failing).has_value());
        CHECK(bert.request(LookUpGold{player(1)}).value().gold == 5);
    }
    SECTION("of a change that storage has not confirmed") {
        cluster.cut_links("storage", true);
        const auto deposit = anna.send(Deposit{100});
        cluster.advance(2s);
        CHECK(bert.request(LookUpGold{player(1)}).value().gold == 5);
        CHECK_FALSE(anna.has_answer(deposit));
        cluster.cut_links("storage", false);
        CHECK(anna.answer<Deposit>(deposit).value().gold == 105);
        CHECK(bert.request(LookUpGold{player(1)}).value().gold == 105);
    }
    SECTION("of a player who has left") {
        anna.disconnect();
        cluster.advance(2s);
        CHECK(bert.request(LookUpGold{player(1)}).value().gold == 5);
        CHECK(bert.request(LookUpGold{player(77)}).value().gold == 0);
    }
}

TEST_CASE("what an enter hook changed is stored before the client is in", "[scenario][GAM-01][NEW-04]") {
    TestCluster cluster{three_nodes()};
    cluster.add_module(trial_module);
    cluster.start();
    const std::string one_login = R"({"email":"","logins":1})";  // the profile's enter hook counts them

    SECTION("a game that dies right after has stored it") {
        TestClient anna{cluster};
        anna.enter(player(1)).value();
        cluster.kill("game");
        CHECK(cluster.stored(player(1), "profile_private") == one_login);
    }
    SECTION("while storage is away the client waits") {
        TestClient anna{cluster};
        anna.hello().value();
        trial_entering = [&] { cluster.cut_links("storage", true); };
        const auto entering = anna.send(wire::Enter{cluster.token(player(1))});
        cluster.advance(3s);
        trial_entering = nullptr;
        CHECK_FALSE(anna.has_answer(entering));
        CHECK(anna.is_open());
        cluster.cut_links("storage", false);
        CHECK(anna.answer<wire::Enter>(entering).value().player == player(1));
        CHECK(cluster.stored(player(1), "profile_private") == one_login);
    }
}

TEST_CASE("a handler that fails leaves no change and no push", "[scenario][NEW-04]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(Deposit{5, true}).value();
    CHECK(anna.pushes<Told>().size() == 1);

    const auto at_once = anna.request(FailingDeposit{100});
    REQUIRE_FALSE(at_once.has_value());
    CHECK(at_once.error().code() == Code::forbidden);
    const auto late = anna.request(LateFailingDeposit{100});
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().message() == "the deposit of a test fails late");

    CHECK(anna.pushes<Told>().empty());
    CHECK(anna.request(CountGold{}).value().gold == 5);
    cluster.advance(70s);
    CHECK(cluster.stored(player(1), "wallet") == R"({"gold":5})");
    CHECK(cluster.metric("all", "gameserver_game_failed_total") == 2);
}

TEST_CASE("a real time change is stored within a second", "[scenario][GAM-05]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    cluster.advance(5s);
    anna.request(WriteNotes{"now", "later", "at the end"}).value();
    cluster.advance(1s);
    CHECK(cluster.stored(player(1), "quick_note") == R"({"text":"now"})");
}

TEST_CASE("periodic changes are stored within the period and spread over it", "[scenario][GAM-04]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.set("game.save_period_seconds", std::int64_t{20});
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::uint64_t id = 2; id <= 40; id += 2) {
        clients.push_back(std::make_unique<TestClient>(cluster));
        clients.back()->enter(player(id)).value();
    }
    cluster.advance(2s);  // the profile's counter of logins is saved by then
    for (auto& client : clients) client->request(WriteNotes{"", "later", ""}).value();
    const auto count_stored = [&] {
        int stored = 0;
        for (std::uint64_t id = 2; id <= 40; id += 2)
            stored += cluster.stored(player(id), "periodic_note").empty() ? 0 : 1;
        return stored;
    };
    CHECK(count_stored() == 0);
    cluster.advance(10s);
    const auto half_way = count_stored();
    CHECK(half_way > 0);
    CHECK(half_way < 20);
    cluster.advance(11s);
    CHECK(count_stored() == 20);
}

TEST_CASE("a player who is busy when the periodic save comes is saved right after", "[scenario][GAM-04]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.set("game.save_period_seconds", std::int64_t{60});
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    const auto stored = [&] { return cluster.stored(player(1), "periodic_note"); };
    anna.request(WriteNotes{"", "first", ""}).value();
    while (stored().empty()) cluster.advance(100ms);  // her moment of each period is now

    cluster.advance(5s);
    anna.request(WriteNotes{"", "second", ""}).value();
    cluster.advance(53s);
    CHECK(stored() == R"({"text":"first"})");
    const auto busy = anna.send(Wait{4'000});
    cluster.advance(3s);
    CHECK(stored() == R"({"text":"first"})");
    anna.answer<Wait>(busy).value();
    cluster.advance(1s);
    CHECK(stored() == R"({"text":"second"})");
}

TEST_CASE("what could not be saved while storage was away is saved when it is back", "[scenario][GAM-03][GAM-04]") {
    TestCluster cluster{three_nodes()};
    cluster.add_module(trial_module);
    cluster.set("game.save_period_seconds", std::int64_t{20});
    cluster.start();
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    cluster.advance(25s);  // nothing of before is unsaved
    cluster.cut_links("storage", true);
    anna.request(WriteNotes{"", "periodic", ""}).value();
    bert.request(WriteNotes{"", "", "at the end"}).value();
    bert.disconnect();
    cluster.advance(90s);
    cluster.cut_links("storage", false);
    cluster.advance(5s);
    CHECK(cluster.stored(player(1), "periodic_note") == R"({"text":"periodic"})");
    CHECK(cluster.stored(player(2), "leave_note") == R"({"text":"at the end"})");
    CHECK(cluster.metric("game", "gameserver_game_players") == 1);
    CHECK(anna.request(echo::Echo{"here"}).value().text == "here");
}

TEST_CASE("a change kept for the leave is stored then and not before", "[scenario][GAM-03]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.set("game.save_period_seconds", std::int64_t{3600});
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    cluster.advance(2s);
    anna.request(WriteNotes{"", "", "at the end"}).value();
    cluster.advance(30s);
    CHECK(cluster.stored(player(1), "leave_note").empty());
    anna.disconnect();
    cluster.advance(1s);
    CHECK(cluster.stored(player(1), "leave_note") == R"({"text":"at the end"})");
}

TEST_CASE("a leave hook that fails does not keep the player from being saved", "[scenario][GAM-01]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(WriteNotes{"", "", "kept"}).value();
    trial_leave_fails = true;
    anna.disconnect();
    cluster.advance(2s);
    trial_leave_fails = false;
    CHECK(cluster.stored(player(1), "leave_note") == R"({"text":"kept"})");
    CHECK(cluster.metric("all", "gameserver_game_players") == 0);
}

TEST_CASE("a game that lost a player to a newer owner saves nothing and closes the client: stale_save_loses",
          "[scenario][reliability]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(Deposit{5}).value();
    static_cast<void>(cluster.call(Role::storage, storage::Open{{"player", 1}}).value());

    const auto deposit = anna.send(Deposit{100});
    anna.send(CountGold{});  // waits behind it
    REQUIRE(anna.wait_closed());
    CHECK_FALSE(anna.has_answer(deposit));
    REQUIRE(anna.goodbye().has_value());
    CHECK(anna.goodbye()->code == Code::fenced);
    CHECK(cluster.stored(player(1), "wallet") == R"({"gold":5})");
    CHECK(cluster.metric("all", "gameserver_commit_fenced_total") == 1);
    cluster.advance(2s);
    CHECK(cluster.metric("all", "gameserver_game_players") == 0);

    TestClient again{cluster};
    again.enter(player(1)).value();
    CHECK(again.request(Deposit{1}).value().gold == 6);
}

}  // namespace gs::scenarios
