// Players who come through a WebSocket, on the port of all clients: the same game, the same sessions.
#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"
#include "wire/websocket.hpp"

using namespace gs;
using namespace gs::scenarios;
using wire::SessionState;
namespace websocket = wire::websocket;

namespace {

constexpr auto over_tcp = TestClient::Over::tcp;
constexpr auto over_websocket = TestClient::Over::websocket;

std::string upgrade() {
    Buffer out;
    websocket::write_upgrade(out, "localhost", websocket::make_key());
    return std::string{as_text(out)};
}

Binary frame(websocket::Opcode opcode, std::string_view payload) {
    Buffer out;
    websocket::write_frame(out, opcode, as_bytes(payload), websocket::Mask{1, 2, 3, 4});
    return {out.view().begin(), out.view().end()};
}

std::string goodbye(std::uint16_t code, std::string_view reason) {
    Buffer out;
    websocket::write_close(out, code, reason, {});
    return std::string{as_text(out)};
}

std::vector<std::string> texts(TestClient& client) {
    std::vector<std::string> found;
    for (const auto& told : client.pushes<Told>()) found.push_back(told.text);
    return found;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a player comes through a WebSocket and plays with one who came through TCP",
          "[scenario][websocket][NET-06]") {
    TestCluster cluster;
    const auto piece = GENERATE(std::size_t{0}, std::size_t{1});
    cluster.network().set_piece_bytes(piece);
    cluster.start();
    TestClient anna{cluster, {}, over_websocket};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    CHECK(anna.request(echo::Echo{"hello"}).value().text == "hello");
    const auto longest = std::string(16'000, 'x');
    CHECK(anna.request(echo::Echo{longest}).value().text == longest);
    anna.request(chat::Join{"lobby"}).value();
    bert.request(chat::Join{"lobby"}).value();
    bert.request(chat::Say{"lobby", "from tcp"}).value();
    anna.request(chat::Say{"lobby", "from a browser"}).value();
    for (auto* client : {&anna, &bert}) {
        const auto said = client->pushes<chat::Said>();
        REQUIRE(said.size() == 2);
        CHECK(said[0].line.text == "from tcp");
        CHECK(said[1].line.text == "from a browser");
    }
    anna.leave();
    CHECK(anna.wait_closed(1s));
}

TEST_CASE("a session goes on over another transport, and nothing is lost or doubled",
          "[scenario][websocket][sessions][SES-07][NET-16]") {
    const auto first = GENERATE(over_tcp, over_websocket);
    const auto second = first == over_tcp ? over_websocket : over_tcp;
    TestCluster cluster{{{"center", {Role::center, Role::login, Role::storage}},
                         {"gate-1", {Role::gateway}},
                         {"gate-2", {Role::gateway}},
                         {"game-1", {Role::game}}}};
    cluster.add_module(trial_module);
    cluster.set("game.resume_seconds", std::int64_t{60});
    cluster.start();
    TestClient bert{cluster, "gate-1"};
    bert.enter(player(2)).value();
    TestClient anna{cluster, "gate-1", first};
    const auto entered = anna.enter(player(1)).value();
    bert.request(TellPlayers{{player(1)}, "before"}).value();
    CHECK(texts(anna) == Texts{"before"});
    const auto id = anna.send(Deposit{5, false});
    REQUIRE(cluster.run_until([&] { return cluster.stored(player(1), "wallet") == R"({"gold":5})"; }));
    anna.disconnect();
    bert.request(TellPlayers{{player(1)}, "while away"}).value();

    TestClient again{cluster, "gate-2", second};
    const auto back = again.resume(anna, [&](wire::Enter& enter) { enter.answered = id - 1; }).value();
    CHECK(back.state == SessionState::resumed);
    CHECK(back.session == entered.session);
    CHECK(back.received == id);
    CHECK(texts(again) == Texts{"while away"});
    CHECK(again.request(CountGold{}).value().gold == 5);
    again.disconnect();

    TestClient home{cluster, "gate-1", first};
    CHECK(home.resume(again).value().state == SessionState::resumed);
    bert.request(TellPlayers{{player(1)}, "after"}).value();
    CHECK(texts(home) == Texts{"after"});
}

TEST_CASE("what is not WebSocket behind the handshake ends that connection alone",
          "[scenario][websocket][hostile][NET-06]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, {}, over_websocket};
    anna.enter(player(1)).value();
    const auto refused = [&](BytesView bytes, const std::string& farewell) {
        TestClient stranger{cluster};
        stranger.send_text(upgrade());
        stranger.send_bytes(bytes);
        REQUIRE(stranger.wait_closed(2s));
        CHECK_THAT(std::string{stranger.received()}, Catch::EndsWith(farewell));
    };
    refused(frame(websocket::Opcode::text, "{}"), goodbye(1003, "binary messages only"));
    refused(as_bytes(std::string_view{"\x82\x01x", 3}), goodbye(1002, "a client must mask its frames"));
    refused(as_bytes(upgrade()), goodbye(1002, "no extension was agreed on"));
    refused(frame(websocket::Opcode::close, ""), goodbye(websocket::status::none, ""));
    // A WebSocket inside of a WebSocket.
    refused(frame(websocket::Opcode::binary, upgrade()), goodbye(1000, ""));
    CHECK(anna.request(echo::Echo{"still here"}).value().text == "still here");
}

TEST_CASE("a WebSocket that is never finished is closed in time", "[scenario][websocket][hostile][NET-14]") {
    TestCluster cluster;
    cluster.start();
    TestClient head{cluster};
    head.send_text(upgrade().substr(0, 30));
    TestClient silent{cluster};
    silent.send_text(upgrade());
    TestClient endless{cluster};
    endless.send_text("GET /" + std::string(9000, 'x'));
    REQUIRE(endless.wait_closed(1s));
    CHECK_THAT(std::string{endless.received()}, Catch::StartsWith("HTTP/1.1 431 "));
    CHECK(head.wait_closed(8s));
    CHECK(silent.wait_closed(8s));
    CHECK_THAT(std::string{head.received()}, Catch::StartsWith("HTTP/1.1 503 "));
    CHECK(cluster.metric("all", R"(gameserver_client_rejected_total{reason="timeout"})") == 2);
}

TEST_CASE("pings are answered, and one who pings and reads nothing costs no memory",
          "[scenario][websocket][hostile][NET-12]") {
    TestCluster cluster;
    cluster.start();
    TestClient client{cluster};
    client.send_text(upgrade());
    client.send_bytes(frame(websocket::Opcode::ping, "there?"));
    REQUIRE(cluster.run_until([&] { return client.received().ends_with("there?"); }));
    client.set_reading(false);
    const auto ping = frame(websocket::Opcode::ping, std::string(125, 'x'));
    for (int count = 0; count < 10'000; ++count) {
        client.send_bytes(ping);
        cluster.advance(std::chrono::microseconds{1});
    }
    client.set_reading(true);
    CHECK(client.wait_closed(8s));
    CHECK(client.received().size() < 200'000);
}

TEST_CASE("login tells browsers where the WebSocket is", "[scenario][websocket][LOG-08]") {
    TestCluster cluster;
    cluster.set("gateway.websocket.advertise", std::string{"wss://game.example.org/"});
    cluster.start();
    const auto gateways = cluster.node("all").home_bus().instances();
    const auto gateway = std::find_if(gateways.begin(), gateways.end(),
                                      [](const auto& one) { return one.address.role == Role::gateway; });
    REQUIRE(gateway != gateways.end());
    CHECK(gateway->state.websocket == "wss://game.example.org/");
}
