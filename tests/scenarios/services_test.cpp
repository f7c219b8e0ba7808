// Requests that another group of games answers.
#include <catch2/catch.hpp>

#include "app/catalog.hpp"
#include "modules/echo/messages.hpp"
#include "modules/profile/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

using namespace gs;
using namespace gs::scenarios;

namespace {

const std::string answered = "gameserver_service_seconds_count{command=\"LookUpGold\"}";

struct World : TestCluster {
    World()
        : TestCluster{{{"center", {Role::center, Role::login, Role::storage}},
                       {"gate", {Role::gateway}},
                       {"game", {Role::game}},
                       {"books-1", {Role::game}},
                       {"books-2", {Role::game}}}} {
        add_module(trial_module);
        set("game.resume_seconds", std::int64_t{60});
        for (const auto* name : {"books-1", "books-2"}) set_on(name, "game.group", std::string{"books"});
        set_rows("game.route", 2);
        set("game.route[0].module", std::string{"trial"});
        set("game.route[0].group", std::string{"books"});
        set("game.route[1].module", std::string{"profile"});
        set("game.route[1].group", std::string{"books"});
        start();
    }
    [[nodiscard]] double at_books() { return metric("books-1", answered) + metric("books-2", answered); }
};

}  // namespace

TEST_CASE("a module's services are answered by the group that it is routed to", "[scenario][RTE-01]") {
    World world;
    TestClient anna{world, player(1)};
    CHECK(world.metric("game", "gameserver_game_players") == 1);
    anna.request(Deposit{40}).value();
    CHECK(anna.request(LookUpGold{player(1)}).value().gold == 40);
    CHECK(anna.request(profile::SetMotto{"onward"}));
    CHECK(anna.request(profile::ViewProfile{player(1)}).value().motto == "onward");
    CHECK(world.at_books() == 1);
    // The same one for a player, but players are spread.
    for (int count = 0; count < 5; ++count) anna.request(LookUpGold{player(1)}).value();
    CHECK((world.metric("books-1", answered) == 0 || world.metric("books-2", answered) == 0));
    for (std::uint64_t id = 2; id < 12; ++id) {
        TestClient client{world, player(id)};
        CHECK(client.request(LookUpGold{player(1)}).value().gold == 40);
    }
    CHECK(world.metric("books-1", answered) > 0);
    CHECK(world.metric("books-2", answered) > 0);
    CHECK(world.at_books() == 16);
    // No player is there: what needs one is answered where it is.
    CHECK(world.metric("books-1", "gameserver_game_players") + world.metric("books-2", "gameserver_game_players") == 0);
    CHECK(anna.request(CountGold{}).value().gold == 40);
}

TEST_CASE("an error of a service comes back as it is", "[scenario][RTE-01]") {
    World world;
    TestClient anna{world, player(1)};
    // Its body is no such request.
    Buffer body;
    msgpack::Writer{body}.text("not a struct");
    CHECK(anna.refused(command_of<LookUpGold>, body).code() == Code::invalid);
    CHECK(anna.request(LookUpGold{player(1)}).value().gold == 0);
}

TEST_CASE("a service whose game is lost ends with deadline and the next one is answered by another game",
          "[scenario][RTE-01]") {
    World world;
    TestClient anna{world, player(1)};
    anna.request(Deposit{40}).value();
    anna.request(LookUpGold{player(1)}).value();
    const auto* busy = world.metric("books-1", answered) > 0 ? "books-1" : "books-2";
    const auto* other = std::string_view{busy} == "books-1" ? "books-2" : "books-1";
    const auto pending = anna.send(LookUpGold{player(1), 1000});
    const auto after = anna.send(CountGold{});
    world.advance(100ms);
    world.kill(busy);
    CHECK(anna.answer<LookUpGold>(pending).error().code() == Code::deadline);  // it may have been done
    CHECK(anna.answer<CountGold>(after).value().gold == 40);                   // in its turn
    CHECK(anna.request(LookUpGold{player(1)}).value().gold == 40);
    CHECK(world.metric(other, answered) == 1);
    world.kill(other);
    world.advance(1s);
    const auto none = anna.request(LookUpGold{player(1)}).error();
    CHECK(none.code() == Code::unavailable);
    CHECK(none.message() == "no game server of group \"books\" is ready right now");
    CHECK(anna.request(CountGold{}).value().gold == 40);
    world.start(busy);
    REQUIRE(world.run_until([&] { return world.is_ready(); }));
    world.advance(1s);
    CHECK(anna.request(LookUpGold{player(1)}).value().gold == 40);
    CHECK(anna.is_open());
}

TEST_CASE("a game that is stopped answers what it was asked", "[scenario][RTE-01]") {
    World world;
    TestClient anna{world, player(1)};
    anna.request(Deposit{40}).value();
    anna.request(LookUpGold{player(1)}).value();
    const auto* busy = world.metric("books-1", answered) > 0 ? "books-1" : "books-2";
    const auto pending = anna.send(LookUpGold{player(1), 1000});
    world.advance(100ms);
    CHECK(world.stop(busy));
    CHECK(anna.answer<LookUpGold>(pending).value().gold == 40);
    CHECK(anna.request(LookUpGold{player(1)}).value().gold == 40);
}

TEST_CASE("a game stops although a service never answers", "[scenario][RTE-01]") {
    World world;
    TestClient anna{world, player(1)};
    anna.request(LookUpGold{player(1)}).value();
    const auto* busy = world.metric("books-1", answered) > 0 ? "books-1" : "books-2";
    const auto pending = anna.send(LookUpGold{player(1), 3'600'000});
    world.advance(100ms);
    CHECK(world.stop(busy));
    CHECK(anna.answer<LookUpGold>(pending).error().code() == Code::deadline);
}

TEST_CASE("a game that is starting is asked for no service, and answers none", "[scenario][RTE-01]") {
    World world;
    TestClient anna{world, player(1)};
    anna.request(Deposit{40}).value();
    world.kill("books-1");
    world.kill("books-2");
    world.advance(100ms);
    world.cut_links("center", true);  // it dials the center, and everybody else is linked with it already
    world.start("books-1");
    world.advance(2s);
    REQUIRE(world.metric("books-1", "gameserver_links_connected") == 2);
    CHECK(anna.request(LookUpGold{player(1)}).error().message() ==
          "no game server of group \"books\" is ready right now");
    session::Serve serve;
    serve.player = player(1);
    serve.command = command_of<LookUpGold>;
    serve.request = msgpack::encode(LookUpGold{player(1)});
    CHECK(world.call_at("books-1", Role::game, serve).error().message() == "this game server is starting");
    world.cut_links("center", false);
    REQUIRE(world.run_until([&] { return world.is_ready(); }));
    CHECK(anna.request(LookUpGold{player(1)}).value().gold == 40);
    CHECK(world.metric("books-1", answered) == 1);
}

TEST_CASE("a game that is there and not ready is asked for no service", "[scenario][RTE-01][CEN-05]") {
    World world;
    TestClient anna{world, player(1)};
    anna.request(LookUpGold{player(1)}).value();
    const auto* first = world.metric("books-1", answered) > 0 ? "books-1" : "books-2";
    const auto* other = std::string_view{first} == "books-1" ? "books-2" : "books-1";
    REQUIRE(world.call_at(first, Role::game, session::Drain{}));
    world.advance(1s);
    anna.request(LookUpGold{player(1)}).value();
    CHECK(world.metric(first, answered) == 1);
    CHECK(world.metric(other, answered) == 1);
}

TEST_CASE("a service that was asked before the connection was lost is answered once, over the next one",
          "[scenario][RTE-01][SES-02]") {
    World world;
    TestClient anna{world, player(1)};
    anna.request(Deposit{40}).value();
    const auto id = anna.send(LookUpGold{player(1), 500});
    world.advance(100ms);
    anna.disconnect();
    world.advance(100ms);
    TestClient again{world};
    CHECK(again.resume(anna).value().state == wire::SessionState::resumed);
    again.send_again(LookUpGold{player(1), 500}, id);
    CHECK(again.answer<LookUpGold>(id).value().gold == 40);
    world.advance(2s);
    CHECK(world.at_books() == 1);
}

TEST_CASE("a game asks another one for services only", "[scenario][RTE-01][ACC-08]") {
    World world;
    TestClient anna{world, player(1)};
    session::Serve serve;
    serve.player = player(1);
    for (const Command command : {command_of<CountGold>, command_of<Deposit>, Command{60'000}, Command{1}}) {
        serve.command = command;
        CHECK(world.call_at("books-1", Role::game, serve).error().code() == Code::unknown_command);
    }
    serve.command = command_of<LookUpGold>;
    serve.request = msgpack::encode(LookUpGold{player(1)});
    CHECK(world.call_at("books-1", Role::game, serve));
}

TEST_CASE("a route is for a module that has services, and said once", "[scenario][RTE-01]") {
    const auto complaint = [](const std::vector<std::string>& modules) {
        SettingsTree tree;
        set_setting_rows(tree, "game.route", modules.size());
        for (std::size_t row = 0; row < modules.size(); ++row)
            set_setting(tree, fmt::format("game.route[{}].module", row), modules[row]);
        for (std::size_t row = 0; row < modules.size(); ++row)
            set_setting(tree, fmt::format("game.route[{}].group", row), "books");
        static_cast<void>(app::declare_all(tree, true, compiled_roles(), compiled_modules()));
        const auto checked = tree.finish();
        return checked ? std::string{} : checked.error().message();
    };
    CHECK(complaint({"profile"}).empty());
    CHECK(complaint({""}).find("needs a `module` and a `group`") != std::string::npos);
    CHECK(complaint({"profiles"}).find("names module \"profiles\", and there is no such module") != std::string::npos);
    CHECK(complaint({"echo"}).find("has no services") != std::string::npos);
    CHECK(complaint({"profile", "profile"}).find("names module \"profile\" twice") != std::string::npos);
}
