// What strangers and broken clients do to a gateway: each is refused with a reason, counted, bounded, and nobody else
// is disturbed.
#include <catch2/catch.hpp>

#include "app/catalog.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/refusals.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

namespace {

Binary frame_of(std::uint32_t claimed, std::size_t sent) {
    Binary bytes(4 + sent, 0xc0);
    wire::write_length(bytes.data(), claimed);
    return bytes;
}

void check_refused_token(TestCluster& cluster, const std::string& token, const std::string& reason) {
    const auto before = rejected(cluster, "token");
    TestClient client{cluster};
    const auto entered = client.enter_with(token);
    REQUIRE_FALSE(entered.has_value());
    CHECK(entered.error().code() == Code::unauthenticated);
    CHECK_THAT(entered.error().message(), Catch::Contains(reason));
    REQUIRE(client.wait_closed());
    REQUIRE(client.goodbye().has_value());
    CHECK(client.goodbye()->code == Code::unauthenticated);
    CHECK_FALSE(client.goodbye()->reconnect);
    CHECK(rejected(cluster, "token") == before + 1);
}

}  // namespace

TEST_CASE("two thousand connections of random bytes are ended and leave nothing behind", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.set("gateway.unauthenticated_per_address_max", std::int64_t{1000});
    cluster.start();
    TestClient witness{cluster};
    witness.enter(player(1)).value();
    const auto escaped_before = cluster.metric("all", "gameserver_escaped_errors_total");  // of the whole process
    std::mt19937_64 random{20'261'121};
    std::vector<std::unique_ptr<TestClient>> strangers;
    for (int index = 0; index < 2000; ++index) {
        strangers.push_back(std::make_unique<TestClient>(cluster));
        auto& stranger = *strangers.back();
        Binary bytes(random() % 300);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        if (index % 4 == 0) static_cast<void>(stranger.hello());
        if (index % 2 == 0 && bytes.size() > 4)
            wire::write_length(bytes.data(), static_cast<std::uint32_t>(bytes.size() - 4));
        stranger.send_bytes(bytes);
        if (index % 20 != 19) continue;
        cluster.advance(1ms);
        check_served(witness);
        if (index % 100 == 99) {
            cluster.advance(30s);
            for (const auto& old : strangers) REQUIRE_FALSE(old->is_open());
            strangers.clear();
        }
    }
    cluster.advance(2s);
    CHECK(cluster.metric("all", "gameserver_gateway_connections") == 1);
    const auto refused = rejected(cluster, "hello") + rejected(cluster, "frame_too_long") +
                         rejected(cluster, "malformed") + rejected(cluster, "token") + rejected(cluster, "timeout") +
                         rejected(cluster, "foreign_protocol");
    CHECK(refused == 2000);
    CHECK(cluster.metric("all", "gameserver_escaped_errors_total") == escaped_before);
}

TEST_CASE("a frame longer than allowed is refused before it is there", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();

    TestClient stranger{cluster};
    stranger.send_bytes(frame_of(4097, 10));
    REQUIRE(stranger.wait_closed(1s));
    REQUIRE(stranger.server_hello().has_value());
    CHECK(stranger.server_hello()->code == Code::invalid);
    CHECK(stranger.server_hello()->message == "a frame of 4097 bytes; at most 4096 are allowed here");

    TestClient greeted{cluster};
    greeted.hello().value();
    greeted.send_bytes(frame_of(0xffffffff, 0));
    REQUIRE(greeted.wait_closed(1s));
    CHECK(greeted.goodbye().value().reason == "a frame of 4294967295 bytes; at most 4096 are allowed here");

    TestClient anna{cluster};
    anna.enter(player(1)).value();
    CHECK(anna.request(echo::Echo{std::string(16'000, 'x')}).value().text.size() == 16'000);
    anna.send_bytes(frame_of(16 * 1024 + 1, 100));
    REQUIRE(anna.wait_closed(1s));
    CHECK(anna.goodbye().value().code == Code::invalid);
    CHECK_FALSE(anna.goodbye()->reconnect);
    CHECK(rejected(cluster, "frame_too_long") == 3);
}

TEST_CASE("a browser on the game port gets an answer that it can read", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient browser{cluster};
    browser.send_text("GET / HTTP/1.1\r\nHost: localhost:7000\r\n\r\n");
    REQUIRE(browser.wait_closed(1s));
    CHECK(browser.received().substr(0, 29) == "HTTP/1.1 426 Upgrade Required");
    CHECK(browser.received().find("This is the game port of a gameserver") != std::string_view::npos);
    CHECK(rejected(cluster, "foreign_protocol") == 1);
}

TEST_CASE("TLS and SSH on the game port are closed at once", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient tls{cluster};
    tls.send_bytes(Binary{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03});
    CHECK(tls.wait_closed(1s));
    TestClient ssh{cluster};
    ssh.send_text("SSH-2.0-OpenSSH_9.2p1\r\n");
    CHECK(ssh.wait_closed(1s));
    CHECK(rejected(cluster, "foreign_protocol") == 2);
}

TEST_CASE("a hello of another version is told which one is spoken", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient client{cluster};
    wire::ClientHello hello;
    hello.protocol_min = 7;
    hello.protocol_max = 9;
    const auto answer = client.hello(hello).value();
    CHECK(answer.code == Code::invalid);
    CHECK(answer.message == "this server speaks protocol 1, the client 7 to 9");
    CHECK(client.wait_closed(1s));
    CHECK(rejected(cluster, "hello") == 1);
}

TEST_CASE("who says nothing is closed at each step of the way in", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient silent{cluster};
    TestClient greeted{cluster};
    greeted.hello().value();
    cluster.advance(4s);
    CHECK(silent.is_open());
    CHECK(silent.wait_closed(3s));
    CHECK(silent.server_hello().value().message == "no hello within 5 s");
    CHECK(greeted.is_open());
    CHECK(greeted.wait_closed(6s));
    CHECK(greeted.goodbye().value().reason == "no token within 10 s");
    CHECK(rejected(cluster, "timeout") == 2);
}

TEST_CASE("half a frame and then silence is closed after the frame timeout", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient witness{cluster};
    TestClient anna{cluster};
    witness.enter(player(1)).value();
    anna.enter(player(2)).value();
    anna.send_bytes(frame_of(100, 50));
    cluster.advance(9s);
    CHECK(anna.is_open());
    // A byte now and then does not help.
    anna.send_bytes(Binary{0});
    REQUIRE(anna.wait_closed(4s));
    CHECK(anna.goodbye().value().reason == "a frame was begun and not finished within 10 s");
    CHECK(rejected(cluster, "timeout") == 1);
    check_served(witness);
}

TEST_CASE("a player whose client went silent is closed after two heartbeats", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster};
    TestClient dead{cluster};
    anna.enter(player(1)).value();
    dead.enter(player(2)).value();
    dead.set_reading(false);  // so it answers no ping either
    cluster.advance(40s);
    CHECK(anna.is_open());
    CHECK(cluster.metric("all", "gameserver_client_silent_total") == 1);
    CHECK(cluster.metric("all", "gameserver_gateway_players") == 1);
    CHECK(cluster.metric("all", "gameserver_client_rtt_seconds_count") >= 2);
}

TEST_CASE("expired forged foreign and broken tokens are refused with the reason", "[scenario][hostile][ACC-01]") {
    TestCluster cluster;
    cluster.start();
    const auto good = cluster.token(player(1));
    check_refused_token(cluster, cluster.token(player(1), "default", 3600s), "expired");
    check_refused_token(cluster, cluster.token(player(1), "elsewhere"), "zone");
    auto forged = good;
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    check_refused_token(cluster, forged, "");
    TokenClaims claims;
    claims.player = player(1);
    claims.account = "mallory";
    claims.issued = std::chrono::time_point_cast<std::chrono::seconds>(cluster.time().wall_now());
    claims.expires = claims.issued + 600s;
    claims.zone = "default";
    check_refused_token(cluster, sign_token(SigningKey::generate(), claims), "");
    check_refused_token(cluster, "", "");
    check_refused_token(cluster, "eyJhbGciOiJub25lIn0.e30.", "");
    TestClient anna{cluster};
    CHECK(anna.enter_with(good).has_value());
    // The calendar goes on; the token does not last.
    cluster.time().jump_wall(24h);
    check_refused_token(cluster, good, "expired");
    CHECK(anna.request(echo::Echo{"stays"}).value().text == "stays");
}

TEST_CASE("a message before enter is refused", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient client{cluster};
    client.hello().value();
    const auto refused = client.request(echo::Echo{"too early"});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == Code::unauthenticated);
    CHECK(refused.error().message() == "the first request must be enter, with the request id 0 and a token from login");
    CHECK(client.wait_closed(1s));
    CHECK(rejected(cluster, "token") == 1);
}

TEST_CASE("a client that never reads is closed within bounds and others are served: slow_reader_bound",
          "[scenario][hostile]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.set("gateway.messages_per_second_max", std::int64_t{0});
    cluster.start();
    TestClient speaker{cluster};
    TestClient witness{cluster};
    TestClient deaf{cluster};
    speaker.enter(player(1)).value();
    witness.enter(player(2)).value();
    deaf.enter(player(3)).value();
    deaf.set_reading(false);
    const std::string text(8000, 'x');
    // 64 KiB fit into its socket and 256 KiB into its queue: 41 pushes.
    int sent = 0;
    while (cluster.metric("all", "gameserver_client_slow_total") == 0 && sent < 100) {
        speaker.request(TellAll{text}).value();
        cluster.advance(1ms);
        ++sent;
    }
    CHECK(sent >= 35);
    CHECK(sent <= 45);
    CHECK(cluster.metric("all", "gameserver_client_slow_total") == 1);
    CHECK(witness.pushes<Told>().size() == static_cast<std::size_t>(sent));
    check_served(witness);
    cluster.advance(2s);
    CHECK(cluster.metric("all", "gameserver_gateway_connections") == 2);
}

TEST_CASE("a client whose queue is over its bound gets nothing more and is closed once", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient speaker{cluster};
    TestClient deaf{cluster};
    speaker.enter(player(1)).value();
    deaf.enter(player(2)).value();
    deaf.set_reading(false);
    const auto bytes_out = [&] { return cluster.metric("all", "gameserver_client_bytes_out_total"); };
    const auto before = bytes_out();
    for (int count = 0; count < 60; ++count) speaker.send(TellPlayers{{player(2)}, std::string(8000, 'x')});
    cluster.advance(1s);
    CHECK(cluster.metric("all", "gameserver_client_slow_total") == 1);
    CHECK(bytes_out() - before < 300 * 1024);
    CHECK(cluster.metric("all", "gameserver_gateway_connections") == 1);
    check_served(speaker);
}

TEST_CASE("a client that reads too slowly is closed when it stays behind", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.start();
    TestClient speaker{cluster};
    TestClient slow{cluster};
    speaker.enter(player(1)).value();
    slow.enter(player(2)).value();
    slow.set_reading(false);
    for (int count = 0; count < 20; ++count) speaker.request(TellAll{std::string(8000, 'x')}).value();
    cluster.advance(3s);
    CHECK(cluster.metric("all", "gameserver_client_slow_total") == 0);
    cluster.advance(5s);
    CHECK(cluster.metric("all", "gameserver_client_slow_total") == 1);
    check_served(speaker);
}

TEST_CASE("messages may arrive in any pieces", "[scenario][hostile]") {
    for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
        TestCluster cluster;
        cluster.start();
        cluster.network().set_piece_bytes(piece);
        TestClient anna{cluster};
        anna.enter(player(1)).value();
        CHECK(anna.request(echo::Echo{"in pieces"}).value().text == "in pieces");
    }
}

}  // namespace gs::scenarios
