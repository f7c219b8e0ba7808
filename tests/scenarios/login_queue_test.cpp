// A full cluster: logins wait on their connection, hear where they stand, and come in in the order of their coming.
#include <catch2/catch.hpp>

#include "app/catalog.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

using namespace gs;
using namespace gs::scenarios;

namespace {

struct World : TestCluster {
    explicit World(std::int64_t online_max, std::int64_t queue_max = 1000, bool starts = true)
        : TestCluster{{{"center", {Role::center, Role::login, Role::storage}},
                       {"gate-1", {Role::gateway}},
                       {"gate-2", {Role::gateway}},
                       {"game-1", {Role::game}}}} {
        add_module(trial_module);
        set("game.resume_seconds", std::int64_t{60});
        set("center.online_max", online_max);
        set("center.queue_max", queue_max);
        if (starts) start();
    }
    [[nodiscard]] double waiting() { return metric("center", "gameserver_login_queue"); }
};

/// A client that has asked to enter and may have to wait.
struct Comer {
    Comer(World& world, const std::string& gateway, PlayerId who) : client{world, gateway} {
        client.hello().value();
        wire::Enter enter;
        enter.token = world.token(who);
        client.send(enter);
        world.advance(1s);
    }
    [[nodiscard]] bool is_in() {
        if (!is_answered_ && client.has_answer(0)) {
            is_answered_ = true;
            client.answer<wire::Enter>(0).value();
        }
        return is_answered_;
    }
    [[nodiscard]] const std::vector<wire::Queued>& told() const { return client.queued(); }
    [[nodiscard]] std::uint32_t position() const { return told().empty() ? 0 : told().back().position; }
    TestClient client;

private:
    bool is_answered_ = false;
};

}  // namespace

TEST_CASE("who comes to a full cluster waits and comes in in turn, through whatever gateway",
          "[scenario][queue][ACC-05][ACC-06]") {
    World world{2};
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    TestClient bert{world, "gate-2"};
    bert.enter(player(2)).value();
    Comer third{world, "gate-2", player(3)}, fourth{world, "gate-1", player(4)}, fifth{world, "gate-2", player(5)};
    CHECK_FALSE(third.is_in());
    CHECK(third.position() == 1);
    CHECK(fourth.position() == 2);
    CHECK(fifth.position() == 3);
    CHECK(world.waiting() == 3);
    world.advance(60s);  // longer than any client waits to enter
    CHECK_FALSE(third.is_in());
    CHECK(third.told().size() >= 25);
    CHECK(third.client.is_open());

    anna.leave();
    world.advance(1s);
    CHECK(third.is_in());
    CHECK_FALSE(fourth.is_in());
    CHECK(fourth.position() == 1);
    CHECK(third.client.request(echo::Echo{"hello"}).value().text == "hello");
    world.advance(2s);
    CHECK(fourth.told().back().wait_seconds > 0);

    fourth.client.disconnect();  // waits no more
    bert.leave();
    world.advance(1s);
    CHECK(fifth.is_in());
    CHECK(world.waiting() == 0);
    CHECK(fifth.client.request(echo::Echo{"hello"}).value().text == "hello");
}

TEST_CASE("who resumes or takes over does not wait, and a lost connection keeps its place",
          "[scenario][queue][ACC-06][SES-01]") {
    World world{1};
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    Comer second{world, "gate-2", player(2)};
    anna.disconnect();
    world.advance(5s);
    CHECK_FALSE(second.is_in());
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).value().state == wire::SessionState::resumed);
    TestClient elsewhere{world, "gate-1"};
    CHECK(elsewhere.enter(player(1)));
    CHECK_FALSE(second.is_in());
    elsewhere.disconnect();
    world.advance(70s);  // nobody resumes it in time
    CHECK(second.is_in());
}

TEST_CASE("a player has one place in the queue, and the newest connection has it", "[scenario][queue][ACC-06]") {
    World world{1};
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    Comer first{world, "gate-1", player(2)}, other{world, "gate-1", player(3)}, newer{world, "gate-2", player(2)};
    CHECK(newer.position() == 1);
    CHECK(world.waiting() == 2);
    anna.leave();
    world.advance(3s);
    CHECK(newer.is_in());
    CHECK(first.client.wait_closed(15s));
    CHECK(other.position() == 1);
}

TEST_CASE("a queue that is full refuses with a reason, and a lost gateway's places are free",
          "[scenario][queue][ACC-06]") {
    World world{1, 2};
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    Comer second{world, "gate-2", player(2)}, third{world, "gate-2", player(3)};
    TestClient fourth{world, "gate-1"};
    const auto refused = fourth.enter(player(4));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::busy);
    CHECK_THAT(std::string{refused.error().message()}, Catch::Contains("2 wait already"));
    world.kill("gate-2");
    world.advance(10s);
    Comer fifth{world, "gate-1", player(5)};
    CHECK(fifth.position() == 1);
    anna.leave();
    world.advance(1s);
    CHECK(fifth.is_in());
}

TEST_CASE("a place that nobody takes goes to the next one", "[scenario][queue][ACC-06]") {
    World world{1};
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    Comer second{world, "gate-2", player(2)}, third{world, "gate-1", player(3)};
    world.cut_links("gate-2", true);  // it never hears that its client may come in
    anna.leave();
    world.advance(1s);
    CHECK_FALSE(third.is_in());
    world.advance(31s);
    CHECK(third.is_in());
}

TEST_CASE("those who wait are told to come back when the center that they wait at is lost",
          "[scenario][queue][ACC-06]") {
    World world{1};
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    Comer second{world, "gate-2", player(2)};
    world.kill("center");
    REQUIRE(second.client.wait_closed(20s));
    CHECK(second.client.goodbye().value().reconnect);
    world.start("center");
    REQUIRE(world.run_until([&] { return world.is_ready(); }));
    Comer again{world, "gate-2", player(2)};
    CHECK_FALSE(again.is_in());
    anna.leave();
    world.advance(1s);
    CHECK(again.is_in());
}

TEST_CASE("who comes again through the same gateway keeps the place, whenever the older connection ends",
          "[scenario][queue][ACC-06]") {
    World world{1};
    TestClient anna{world, player(1), "gate-1"};
    Comer first{world, "gate-1", player(2)}, other{world, "gate-1", player(3)};
    Comer newer{world, "gate-1", player(2)};
    REQUIRE(first.client.wait_closed(1s));
    CHECK(first.client.goodbye().value().code == Code::fenced);
    world.advance(30s);
    CHECK(newer.client.is_open());
    CHECK(newer.position() == 1);
    CHECK(other.position() == 2);
    anna.leave();
    world.advance(1s);
    CHECK(newer.is_in());
}

TEST_CASE("who waits longer than a token is good comes in all the same", "[scenario][queue][ACC-06]") {
    World world{1};
    TestClient anna{world, player(1), "gate-1"};
    Comer second{world, "gate-2", player(2)};
    for (int minute = 0; minute < 15; ++minute) {
        CHECK(anna.request(echo::Echo{"still here"}));
        world.advance(60s);
    }
    anna.leave();
    world.advance(1s);
    CHECK(second.is_in());
    CHECK(second.client.request(echo::Echo{"hello"}).value().text == "hello");
}

TEST_CASE("a queue that a gateway has lost sight of is told so, and nobody is fenced", "[scenario][queue][ACC-06]") {
    World world{1};
    TestClient anna{world, player(1), "gate-1"};
    Comer second{world, "gate-2", player(2)}, third{world, "gate-1", player(3)};
    world.cut_links("gate-2", true);
    REQUIRE(second.client.wait_closed(20s));
    CHECK(second.client.goodbye().value().reconnect);
    world.cut_links("gate-2", false);
    world.advance(5s);
    CHECK(third.position() == 1);
    Comer again{world, "gate-2", player(2)};
    CHECK(again.position() == 2);
}

TEST_CASE("logins wait while a game has too much to do, and come in by and by", "[scenario][queue][ACC-05]") {
    World world{0, 1000, false};
    world.set("center.cpu_max", std::int64_t{50});
    world.start();
    world.set_cpu("game-1", 80);
    world.advance(3s);
    std::vector<std::unique_ptr<Comer>> comers;
    for (std::uint64_t who = 1; who <= 15; ++who)
        comers.push_back(std::make_unique<Comer>(world, "gate-1", player(who)));
    CHECK_FALSE(comers[0]->is_in());
    CHECK(comers[0]->position() == 1);
    CHECK(comers[14]->position() == 15);
    const auto count_in = [&] {
        return std::count_if(comers.begin(), comers.end(), [](const auto& comer) { return comer->is_in(); });
    };
    world.set_cpu("game-1", 40);
    REQUIRE(world.run_until([&] { return count_in() > 0; }, 5s));
    CHECK(count_in() <= 10);  // ten in a second, then it looks again
    REQUIRE(world.run_until([&] { return count_in() == 15; }, 5s));
}

TEST_CASE("of the bounds for players and for processors each makes logins wait, whatever the other one says",
          "[scenario][queue][ACC-05]") {
    World world{1, 1000, false};
    world.set("center.cpu_max", std::int64_t{50});
    world.start();
    world.set_cpu("game-1", 80);
    world.advance(3s);
    Comer first{world, "gate-1", player(1)};
    world.advance(3s);
    CHECK_FALSE(first.is_in());  // there is a place
    world.set_cpu("game-1", 20);
    REQUIRE(world.run_until([&] { return first.is_in(); }, 5s));
    Comer second{world, "gate-2", player(2)};
    world.advance(3s);
    CHECK_FALSE(second.is_in());  // the processors have little to do
    world.set_cpu("game-1", 80);
    world.advance(3s);
    first.client.leave();
    world.advance(3s);
    CHECK_FALSE(second.is_in());
    world.set_cpu("game-1", 20);
    CHECK(world.run_until([&] { return second.is_in(); }, 5s));
}

TEST_CASE("an operator does not wait", "[scenario][queue][ACC-05]") {
    World world{1, 1000, false};
    world.set("center.operators", SettingList{std::string{"77"}});
    world.start();
    TestClient anna{world, "gate-1"};
    anna.enter(player(1)).value();
    Comer bert{world, "gate-1", player(2)};
    CHECK_FALSE(bert.is_in());
    Comer chief{world, "gate-2", player(77)};
    CHECK(chief.is_in());
    CHECK_FALSE(bert.is_in());
}

TEST_CASE("operators are numbers of players", "[scenario][queue][ACC-05]") {
    SettingsTree tree;
    set_setting(tree, "center.operators", SettingList{std::string{"anna"}});
    static_cast<void>(app::declare_all(tree, true, compiled_roles(), compiled_modules()));
    const auto checked = tree.finish();
    REQUIRE_FALSE(checked);
    CHECK(checked.error().message().find("\"anna\" is not the number of a player") != std::string::npos);
}
