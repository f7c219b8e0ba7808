// Pushes to one, to some, to all and to channels; and requests that no module can answer.
#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

namespace {

/// Claims the number of echo.
struct Rival {
    FIELDS()
};
GS_REQUEST(1000, Rival, Done)

class RivalModule final : public Module {
public:
    explicit RivalModule(ModuleContext& context) { context.on(&RivalModule::answer, this); }

private:
    Done answer(Player& /*player*/, const Rival& /*request*/) { return {}; }
};

const ModuleInfo rival_module{
    "rival", [](ModuleContext& context) -> std::unique_ptr<Module> { return std::make_unique<RivalModule>(context); }};

/// Sends what chat sends, and another push under the number of one of chat's.
struct RivalPush {
    FIELDS()
};
GS_PUSH(1204, RivalPush)

class RivalPusher final : public Module {
public:
    explicit RivalPusher(ModuleContext& context) {
        context.pushes<chat::Whispered>();
        context.pushes<RivalPush>();
    }
};

const ModuleInfo rival_pusher_module{"rival_pusher", [](ModuleContext& context) -> std::unique_ptr<Module> {
                                         return std::make_unique<RivalPusher>(context);
                                     }};

std::vector<NodePlan> two_of_each() {
    return {{"center", {Role::center}}, {"game1", {Role::game}},    {"game2", {Role::game}},
            {"gate1", {Role::gateway}}, {"gate2", {Role::gateway}}, {"storage", {Role::storage}}};
}

}  // namespace

TEST_CASE("a push that its module has not declared is not sent", "[scenario][NEW-06]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    const auto refused = anna.request(TellUndeclared{});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::internal);
    CHECK(anna.pushes<Undeclared>().empty());
}

TEST_CASE("pushes reach one player and some and all on every gateway", "[scenario][RTE-04][RTE-05][RTE-07]") {
    TestCluster cluster{two_of_each()};
    cluster.add_module(trial_module);
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::uint64_t id = 1; id <= 6; ++id) {
        clients.push_back(std::make_unique<TestClient>(cluster, id % 2 == 0 ? "gate1" : "gate2"));
        clients.back()->enter(player(id)).value();
    }
    CHECK(cluster.metric("game1", "gameserver_bus_messages_total") > 0);
    clients[0]->request(TellPlayers{{player(2), player(3), player(6)}, "some"}).value();
    cluster.advance(100ms);
    for (std::uint64_t id = 1; id <= 6; ++id) {
        const bool meant = id == 2 || id == 3 || id == 6;
        CHECK(clients[id - 1]->pushes<Told>().size() == (meant ? 1U : 0U));
    }
    clients[1]->request(TellAll{"all"}).value();
    cluster.advance(100ms);
    for (auto& client : clients) {
        const auto told = client->pushes<Told>();
        REQUIRE(told.size() == 1);
        CHECK(told.front().text == "all");
    }
    for (std::uint64_t from = 1; from <= 6; ++from) {
        for (std::uint64_t to = 1; to <= 6; ++to) {
            clients[from - 1]->request(chat::Whisper{player(to), "psst"}).value();
            cluster.advance(10ms);
            const auto heard = clients[to - 1]->pushes<chat::Whispered>();
            REQUIRE(heard.size() == 1);
            CHECK(heard.front().from == player(from));
        }
    }
}

TEST_CASE("a message for a player who is gone is dropped and counted", "[scenario][MSG-15]") {
    TestCluster cluster{two_of_each()};
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(chat::Whisper{player(99), "anyone?"}).value();
    cluster.advance(100ms);
    CHECK(cluster.metric("center", "gameserver_center_gone_total") == 1);
}

TEST_CASE("two modules that claim one command number are refused by name", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.add_module(rival_module);
    CHECK_THROWS_WITH(cluster.start(), Catch::Contains("command 1000") && Catch::Contains("Echo of module echo") &&
                                           Catch::Contains("Rival of module rival"));
}

TEST_CASE("two modules may send one push but not two under one number", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.add_module(rival_pusher_module);
    CHECK_THROWS_WITH(cluster.start(), Catch::Contains("push 1204") && Catch::Contains("Said of module chat") &&
                                           Catch::Contains("RivalPush of module rival_pusher"));
}

TEST_CASE("clients cannot reach the server's own commands", "[scenario][ACC-08]") {
    TestCluster cluster;
    cluster.set("gateway.messages_per_second_max", std::int64_t{0});
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    const auto count = cluster.metric("all", "gameserver_game_failed_total");
    for (Command command = 1; command < first_module_command; ++command) {
        const auto error = anna.refused(command, {});
        REQUIRE(error.code() == Code::unknown_command);
    }
    CHECK(anna.refused(999, {}).message() == "command 999 is not for clients; modules' commands start at 1000");
    CHECK(cluster.metric("all", "gameserver_game_failed_total") == count);
    CHECK(cluster.metric("all", R"(gameserver_client_rejected_total{reason="command"})") == 1000);
    CHECK(anna.request(echo::Echo{"unharmed"}).value().text == "unharmed");
}

TEST_CASE("a command that no module handles is named in the answer", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    for (const Command command : {Command{1999}, Command{65'535}}) {
        const auto error = anna.refused(command, {});
        CHECK(error.code() == Code::unknown_command);
        CHECK(error.message() == fmt::format("no module of this server handles command {}", command));
    }
    CHECK(anna.request(echo::Echo{"unharmed"}).value().text == "unharmed");
}

TEST_CASE("a body that does not decode is refused and leaves the player as it was", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(Deposit{5}).value();
    std::mt19937_64 random{1};
    const std::vector<Binary> bodies{
        {0xc1}, {0x91, 0xa5, 'x'}, {0xdd, 0xff, 0xff, 0xff, 0xff}, {0x93, 0xa1, 'a', 0x01}, {0x91, 0xc0}};
    for (const auto& body : bodies) {
        for (const Command command :
             {command_of<Deposit>, command_of<Wait>, command_of<echo::Echo>, command_of<chat::Join>}) {
            static_cast<void>(anna.refused(command, body));
        }
    }
    const auto error = anna.refused(command_of<Deposit>, Binary{0x91, 0xa5, 'x'});
    CHECK(error.code() == Code::invalid);
    CHECK_FALSE(error.message().empty());
    CHECK(anna.is_open());
    CHECK(anna.request(CountGold{}).value().gold == 5);
}

TEST_CASE("more requests of one player than may wait are answered busy", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    const auto slow = anna.send(Wait{5000});
    std::vector<std::uint64_t> ids;
    for (int index = 0; index < 100; ++index) ids.push_back(anna.send(CountGold{}));
    cluster.advance(100ms);
    CHECK(bert.request(echo::Echo{"quick"}).value().text == "quick");
    std::size_t busy = 0, answered = 0;
    for (const auto id : ids) {
        const auto answer = anna.answer<CountGold>(id);
        answer ? ++answered : ++busy;
        if (!answer) CHECK(answer.error().code() == Code::busy);
    }
    CHECK(answered == entity::Mailbox::waiting_max);
    CHECK(busy == 100 - entity::Mailbox::waiting_max);
    CHECK(cluster.metric("all", "gameserver_game_busy_total") == static_cast<double>(busy));
    CHECK(anna.answer<Wait>(slow).has_value());
}

}  // namespace gs::scenarios
