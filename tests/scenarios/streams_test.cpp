// A client comes back: what it missed, what it must not get twice, and who may not come at all.
#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"
#include "session/stream.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

using namespace gs;
using namespace gs::scenarios;
using wire::SessionState;

namespace {

const std::vector<NodePlan> spread{{"center", {Role::center, Role::login, Role::storage}},
                                   {"gate-1", {Role::gateway}},
                                   {"gate-2", {Role::gateway}},
                                   {"game-1", {Role::game}},
                                   {"game-2", {Role::game}}};

struct World : TestCluster {
    explicit World(std::vector<NodePlan> plan = spread) : TestCluster{std::move(plan)} {
        add_module(trial_module);
        set("game.resume_seconds", std::int64_t{60});
        start();
    }
    [[nodiscard]] std::string game_of(PlayerId who) {
        for (const auto* name : {"game-1", "game-2"}) {
            if (metric(name, "gameserver_game_players") > 0) return name;
        }
        static_cast<void>(who);
        return {};
    }
};

std::vector<std::string> texts(TestClient& client) {
    std::vector<std::string> found;
    for (const auto& told : client.pushes<Told>()) found.push_back(told.text);
    return found;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a client that comes back has every reply and every push, once and in order", "[sessions][SES-01][SES-02]") {
    World world;
    TestClient anna{world, "gate-1"};
    TestClient bert{world, "gate-1"};
    const auto entered = anna.enter(player(1)).value();
    CHECK(entered.state == SessionState::fresh);
    CHECK(entered.key.size() == 32);
    bert.enter(player(2)).value();
    CHECK(anna.request(Deposit{5, false}).value().gold == 5);
    bert.request(TellPlayers{{player(1)}, "before"}).value();
    CHECK(texts(anna) == Texts{"before"});

    anna.disconnect();
    world.advance(100ms);
    bert.request(TellPlayers{{player(1)}, "while away"}).value();
    bert.request(TellPlayers{{player(1)}, "twice"}).value();

    const auto* gate = GENERATE("gate-1", "gate-2");
    TestClient again{world, gate};
    const auto back = again.resume(anna).value();
    CHECK(back.state == SessionState::resumed);
    CHECK(back.session == entered.session);
    CHECK(back.received == 1);
    CHECK(texts(again) == Texts{"while away", "twice"});
    bert.request(TellPlayers{{player(1)}, "after"}).value();
    CHECK(texts(again) == Texts{"after"});
    CHECK(again.request(CountGold{}).value().gold == 5);
}

TEST_CASE("a request whose reply was lost is answered and not run again", "[sessions][SES-01][SES-03][MSG-14]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    const auto id = anna.send(Deposit{5, false});
    // The gateway is lost with the reply on its way.
    REQUIRE(world.run_until([&] { return world.stored(player(1), "wallet") == R"({"gold":5})"; }));
    anna.disconnect();
    world.kill("gate-1");
    world.advance(5s);

    TestClient again{world, "gate-2"};
    const auto back = again
                          .resume(anna,
                                  [&](wire::Enter& enter) {
                                      enter.answered = id - 1;
                                      enter.received = 0;
                                  })
                          .value();
    CHECK(back.received == id);
    CHECK(again.answer<Deposit>(id).value().gold == 5);
    again.send_again(Deposit{5, false}, id);  // a client that did not look at `received`
    CHECK(again.request(CountGold{}).value().gold == 5);
}

TEST_CASE("a request that was not received before the loss is run when it comes again", "[sessions][SES-01]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    CHECK(anna.request(Deposit{5, false}).value().gold == 5);
    anna.disconnect();
    world.advance(1s);
    TestClient again{world, "gate-2"};
    REQUIRE(again.resume(anna).value().received == 1);
    again.send_again(Deposit{2, false}, 2);
    CHECK(again.answer<Deposit>(2).value().gold == 7);
}

TEST_CASE("a killed game gives its sessions to another one: nothing confirmed is lost or done twice",
          "[sessions][SES-03]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    CHECK(anna.request(Deposit{5, false}).value().gold == 5);
    const auto lost = anna.send(Deposit{3, false});
    REQUIRE(world.run_until([&] { return world.stored(player(1), "wallet") == R"({"gold":8})"; }));
    const auto game = world.game_of(player(1));
    world.kill(game);
    REQUIRE(anna.wait_closed());
    CHECK(anna.goodbye()->reconnect);
    const bool answered = anna.has_answer(lost);

    TestClient again{world, "gate-2"};
    const auto back = again
                          .resume(anna,
                                  [&](wire::Enter& enter) {
                                      if (!answered) enter.answered = lost - 1;
                                  })
                          .value();
    CHECK(back.state == SessionState::gap);
    CHECK(back.received == lost);
    if (!answered) CHECK(again.answer<Deposit>(lost).value().gold == 8);
    CHECK(again.request(CountGold{}).value().gold == 8);
}

TEST_CASE("a game that stops hands its sessions over whole", "[sessions][CEN-05]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, "gate-1"};
    const auto game = world.game_of(player(1));
    anna.request(chat::Join{"lobby"}).value();
    anna.disconnect();
    world.advance(100ms);
    bert.enter(player(2)).value();
    bert.request(TellPlayers{{player(1)}, "while away"}).value();
    REQUIRE(world.stop(game));
    world.advance(1s);

    TestClient again{world, "gate-2"};
    const auto back = again.resume(anna).value();
    CHECK(back.state == SessionState::resumed);
    CHECK(texts(again) == Texts{"while away"});
    world.advance(1s);
    // Its channels are its own again.
    CHECK(again.request(chat::Say{"lobby", "hello"}).has_value());
    CHECK(again.pushes<chat::Said>().size() == 1);
}

TEST_CASE("a client that missed more than is kept is told so, and gets all its replies", "[sessions][SES-02]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-1"};
    anna.disconnect();
    world.advance(100ms);
    for (std::size_t count = 0; count <= session::Stream::messages_max; ++count)
        bert.request(TellPlayers{{player(1)}, "too many"}).value();
    TestClient again{world, "gate-2"};
    const auto back = again.resume(anna).value();
    CHECK(back.state == SessionState::gap);
    CHECK(again.pushes<Told>().empty());
    bert.request(TellPlayers{{player(1)}, "after"}).value();
    CHECK(texts(again) == Texts{"after"});
}

TEST_CASE("whoever cannot prove the session changes nothing: bad_resume_changes_nothing",
          "[sessions][SES-07][NEW-02]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    const auto refused = [&](const std::function<void(wire::Enter&)>& change) {
        TestClient thief{world, "gate-2"};
        const auto entered = thief.resume(anna, change);
        REQUIRE_FALSE(entered);
        CHECK(thief.wait_closed());
        CHECK_FALSE(thief.goodbye()->reconnect);
        return entered.error().code();
    };
    CHECK(refused([](wire::Enter& enter) { enter.proof = Binary(32, 1); }) == Code::unauthenticated);
    CHECK(refused([](wire::Enter& enter) { enter.proof = Binary(1, 1); }) == Code::unauthenticated);
    CHECK(refused([](wire::Enter& enter) {
              enter.player = player(2);
              enter.proof = Binary(32);
          }) == Code::unauthenticated);
    // A proof that was made for another connection.
    Binary old;
    {
        TestClient first{world, "gate-2"};
        first.hello().value();
        old = first.server_hello()->nonce;
    }
    TestClient second{world, "gate-2"};
    second.hello().value();
    CHECK(second.server_hello()->nonce != old);
    // The one who is in noticed nothing.
    CHECK(anna.is_open());
    CHECK(anna.request(echo::Echo{"still here"}).value().text == "still here");
}

TEST_CASE("a session that a newer login replaced cannot be resumed", "[sessions][SES-07][CEN-01]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient newer{world, player(1), "gate-2"};
    REQUIRE(anna.wait_closed());
    TestClient again{world, "gate-1"};
    const auto back = again.resume(anna);
    REQUIRE_FALSE(back);
    CHECK(back.error().code() == Code::fenced);
    CHECK(newer.request(echo::Echo{"mine"}).value().text == "mine");
}

TEST_CASE("nothing waits at the old connection: takeover_forwards_not_queues", "[sessions][SES-02][SES-07][MSG-14]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient bert{world, player(2), "gate-2"};
    const auto slow = anna.send(Wait{300});
    const auto behind = anna.send(Deposit{5, false});  // waits for its turn
    world.advance(50ms);
    world.cut_links("gate-1", true);  // what is sent there is gone, and nobody knows yet
    bert.request(TellPlayers{{player(1)}, "to the old one"}).value();
    bert.send(TellPlayers{{player(1)}, "meanwhile"});
    TestClient again{world, "gate-2"};
    const auto back = again.resume(anna, [&](wire::Enter& enter) { enter.answered = slow - 1; }).value();
    CHECK(back.state == SessionState::resumed);
    bert.request(TellPlayers{{player(1)}, "to the new one"}).value();
    CHECK(again.answer<Wait>(slow).has_value());
    CHECK(again.answer<Deposit>(behind).value().gold == 5);
    CHECK(texts(again) == Texts{"to the old one", "meanwhile", "to the new one"});
    CHECK(texts(anna).empty());
}

TEST_CASE("who takes over its own session ends the old connection only", "[sessions][SES-07]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).value().state == SessionState::resumed);
    CHECK(anna.wait_closed());
    CHECK(again.request(echo::Echo{"here"}).value().text == "here");
}

TEST_CASE("a player stays for the time in which the client may come back, and leaves then", "[sessions][SES-02]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    anna.request(WriteNotes{"", "", "goodbye"}).value();
    const auto game = world.game_of(player(1));
    anna.disconnect();
    world.advance(58s);
    CHECK(world.metric(game, "gameserver_game_players") == 1);
    CHECK(world.stored(player(1), "leave_note").empty());
    world.advance(4s);
    CHECK(world.metric(game, "gameserver_game_players") == 0);
    CHECK(world.stored(player(1), "leave_note") == R"({"text":"goodbye"})");
    CHECK(world.metric("center", "gameserver_online_players") == 0);

    TestClient late{world, "gate-2"};
    CHECK(late.resume(anna).error().code() == Code::not_found);
    TestClient fresh{world, player(1), "gate-2"};
    CHECK(fresh.request(ReadNotes{}).value().leave == "goodbye");
}

TEST_CASE("a client that says so leaves at once", "[sessions][SES-02]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    anna.request(WriteNotes{"", "", "goodbye"}).value();
    anna.leave();
    REQUIRE(anna.wait_closed());
    world.advance(1s);
    CHECK(world.stored(player(1), "leave_note") == R"({"text":"goodbye"})");
    CHECK(world.metric("center", "gameserver_online_players") == 0);
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).error().code() == Code::not_found);
}

TEST_CASE("what a client claims beyond reason is refused", "[sessions][SES-07]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    TestClient wild{world, "gate-2"};
    CHECK(wild.resume(anna, [](wire::Enter& enter) { enter.received = ~0ULL - 2; }).error().code() == Code::invalid);
    TestClient wilder{world, "gate-2"};
    CHECK(wilder.resume(anna, [](wire::Enter& enter) { enter.answered = ~0ULL; }).error().code() == Code::invalid);
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).value().state == SessionState::resumed);
}

TEST_CASE("a center that begins anew knows whose session is whose", "[sessions][CEN-02][SES-07]") {
    World world{{{"center", {Role::center}},
                 {"rest", {Role::login, Role::storage}},
                 {"gate-1", {Role::gateway}},
                 {"gate-2", {Role::gateway}},
                 {"game-1", {Role::game}}}};
    TestClient older{world, player(1), "gate-2"};
    TestClient anna{world, player(1), "gate-1"};
    world.kill("center");
    CHECK(anna.request(echo::Echo{"meanwhile"}).value().text == "meanwhile");
    world.start();
    world.advance(5s);
    TestClient thief{world, "gate-2"};
    CHECK(thief.resume(older).error().code() == Code::fenced);
    CHECK(anna.is_open());
    anna.disconnect();
    TestClient again{world, "gate-2"};
    CHECK(again.resume(anna).value().state == SessionState::resumed);
}

TEST_CASE("a request that leaves a hole ends the connection, not the session", "[sessions][SES-01][MSG-07]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    anna.request(echo::Echo{"one"}).value();
    TestClient wrong{world, "gate-1"};
    wrong.resume(anna).value();
    wrong.send_again(echo::Echo{"three"}, 3);
    REQUIRE(wrong.wait_closed());
    CHECK(wrong.goodbye()->reason.find("request 3 came where 2 was due") != std::string::npos);
    TestClient again{world, "gate-1"};
    CHECK(again.resume(anna).value().received == 1);
}

TEST_CASE("what a gateway refuses has its place in the session as well", "[sessions][SES-01]") {
    World world;
    TestClient anna{world, player(1), "gate-1"};
    CHECK(anna.refused(7, {}).code() == Code::unknown_command);
    CHECK(anna.refused(60'000, {}).code() == Code::unknown_command);
    CHECK(anna.number() == 2);
    CHECK(anna.request(echo::Echo{"and on"}).value().text == "and on");
}

// The link is full for as long as one turn, in which it was given more than 8 MiB.
TEST_CASE("what a full link refuses to a role on another loop costs the connection and no message",
          "[sessions][SES-02][CLU-11]") {
    const std::string long_text(15'000, 'x');
    SECTION("a request") {
        TestCluster world{
            {{"front", {Role::center, Role::gateway}, 2}, {"back", {Role::game, Role::login, Role::storage}}}};
        world.add_module(trial_module);
        world.set("gateway.messages_per_second_max", std::int64_t{0});
        world.set("game.resume_seconds", std::int64_t{60});
        world.start();
        TestClient flood{world, player(1), "front"};
        TestClient bert{world, player(2), "front"};
        for (int count = 0; count < 600; ++count) flood.send(echo::Echo{long_text});
        bert.send(Deposit{5, false});
        REQUIRE(bert.wait_closed(3s));
        CHECK(bert.goodbye()->code == Code::unavailable);
        CHECK(bert.goodbye()->reconnect);
        TestClient again{world, "front"};
        CHECK(again.resume(bert).value().state == SessionState::resumed);
        again.send_again(Deposit{5, false}, 1);
        CHECK(again.answer<Deposit>(1).value().gold == 5);
    }
    SECTION("a reply") {
        World world{{{"back", {Role::center, Role::game, Role::login, Role::storage}, 2}, {"front", {Role::gateway}}}};
        TestClient flood{world, player(1), "front"};
        TestClient bert{world, player(2), "front"};
        flood.send(TellPlayers{std::vector<PlayerId>(700, player(1)), long_text});
        const auto id = bert.send(echo::Echo{"hello"});
        REQUIRE(bert.wait_closed(3s));
        CHECK_FALSE(bert.has_answer(id));
        CHECK(bert.goodbye()->code == Code::unavailable);
        CHECK(bert.goodbye()->reconnect);
        TestClient again{world, "front"};
        CHECK(again.resume(bert).value().state == SessionState::resumed);
        CHECK(again.answer<echo::Echo>(id).value().text == "hello");
    }
}
