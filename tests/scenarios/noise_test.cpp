// Encrypted clients of a whole cluster: what strangers on the way can and cannot do.
#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "tests/scenarios/kit_client.hpp"

namespace gs::scenarios {

namespace {

std::filesystem::path key_file() { return key_directory() / "noise-test.key"; }
std::filesystem::path certificate_file() { return key_directory() / "noise-test.cert"; }

/// Makes a certificate that is good from the virtual time on.
void certify(TestCluster& cluster, std::chrono::seconds good_for) {
    const auto key = load_or_create_exchange_key(key_file()).value();
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(cluster.time().wall_now());
    Certificate certificate;
    certificate.name = "gateway";
    certificate.zone = "default";
    certificate.static_key = {key.public_key().begin(), key.public_key().end()};
    certificate.not_before = now.time_since_epoch().count();
    certificate.not_after = certificate.not_before + good_for.count();
    const auto root = load_private_key(key_directory() / "zone.key").value();
    save_certificate(certificate_file(), sign_certificate(root, certificate)).value();
}

void encrypt(TestCluster& cluster) {
    certify(cluster, 24h);
    cluster.set("gateway.tcp.security", std::string{"noise"});
    cluster.set("gateway.noise.key_file", key_file().string());
    cluster.set("gateway.noise.certificate_file", certificate_file().string());
}

double rejected_hellos(TestCluster& cluster) {
    return cluster.metric("all", R"(gameserver_client_rejected_total{reason="hello"})");
}

/// Where the hello of the gateway ends.
std::size_t hello_end(BytesView received) { return wire::cut_frame(received, received.size()).consumed(); }

}  // namespace

TEST_CASE("players play encrypted and nothing of it can be read on the way", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    KitClient anna{cluster, {}, {zone_root()}};
    KitClient bert{cluster, {}, {zone_root()}};
    REQUIRE(anna.enter(player(1)));
    REQUIRE(bert.enter(player(2)));
    CHECK(anna.encrypted());
    CHECK(anna.echo("the secret of anna") == "the secret of anna");
    CHECK(bert.echo(std::string(10'000, 'b')) == std::string(10'000, 'b'));
    anna.send(chat::Join{"lobby"});
    bert.send(chat::Join{"lobby"});
    anna.send(chat::Say{"lobby", "hello everybody"});
    CHECK(anna.pushes.size() == 1);
    CHECK(bert.pushes.size() == 1);
    for (const auto* client : {&anna, &bert}) {
        for (const auto* bytes : {&client->sent, &client->received}) {
            const auto text = as_text(*bytes);
            CHECK(text.find("secret") == std::string_view::npos);
            CHECK(text.find("hello everybody") == std::string_view::npos);
            CHECK(text.find(client->token) == std::string_view::npos);
            CHECK(text.find("bbbb") == std::string_view::npos);
        }
    }
}

TEST_CASE("a recorded session that comes again is refused by every gateway", "[scenario][noise][MSG-06]") {
    TestCluster cluster{{{"gateway-1", {Role::gateway}},
                         {"gateway-2", {Role::gateway}},
                         {"rest", {Role::login, Role::center, Role::game, Role::storage}}}};
    encrypt(cluster);
    cluster.start();
    KitClient anna{cluster, "gateway-1", {zone_root()}};
    REQUIRE(anna.enter(player(1)));
    REQUIRE(anna.echo("buy a house") == "buy a house");
    const auto recorded = anna.sent;

    const auto replay = [&](const std::string& gateway) {
        TestClient stranger{cluster, gateway};
        stranger.send_bytes(recorded);
        REQUIRE(stranger.wait_closed());
        // It answers the hello, which anybody may send, and says nothing more: no goodbye, no reason.
        CHECK_FALSE(stranger.goodbye().has_value());
        cluster.advance(1s);  // it counts them once a second
        CHECK(cluster.metric(gateway, "gameserver_gateway_players") == (gateway == "gateway-1" ? 1 : 0));
    };
    replay("gateway-1");
    replay("gateway-2");
    CHECK(anna.echo("still here") == "still here");
    const auto echoes = cluster.metric("rest", R"(gameserver_request_seconds_count{command="Echo"})");
    CHECK(echoes == 2);

    cluster.kill("gateway-2");
    cluster.start();
    replay("gateway-2");
    CHECK(cluster.metric("rest", R"(gameserver_request_seconds_count{command="Echo"})") == echoes);
}

TEST_CASE("a byte that was changed on the way to the gateway lets nobody in", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.set("gateway.hellos_per_address_max", std::int64_t{0});
    cluster.start();
    KitClient witness{cluster, {}, {zone_root()}};
    REQUIRE(witness.enter(player(1)));
    std::size_t length = 0;
    std::size_t hello = 0;
    {
        KitClient measured{cluster, {}, {zone_root()}};
        REQUIRE(measured.enter(player(2)));
        hello = wire::cut_frame(measured.sent, measured.sent.size()).consumed();
        length = hello + wire::cut_frame(BytesView{measured.sent}.subspan(hello), measured.sent.size()).consumed();
    }
    for (std::size_t place = 0; place < length; ++place) {
        CAPTURE(place, hello, length);
        KitClient client{cluster, {}, {zone_root()}};
        client.spoiled_sent = place;
        CHECK_FALSE(client.enter(player(2)));
        // Of records that are not authentic nothing is said; one that became longer is waited for in vain.
        if (place >= hello + wire::frame_prefix_bytes) CHECK(client.received.size() == hello_end(client.received));
    }
    CHECK(cluster.metric("all", "gameserver_gateway_players") == 1);
    CHECK(cluster.metric("all", R"(gameserver_client_rejected_total{reason="malformed"})") > 100);
    CHECK(witness.echo("served") == "served");
}

TEST_CASE("a byte that was changed on the way to the client ends its connection", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    Binary received;
    {
        KitClient measured{cluster, {}, {zone_root()}};
        REQUIRE(measured.enter(player(2)));
        received = measured.received;
    }
    const auto hello = wire::parse_server_hello(BytesView{received}.first(hello_end(received)).subspan(4)).value();
    const auto handshake = as_text(received).find(as_text(hello.handshake));
    REQUIRE(handshake != std::string_view::npos);
    // What is before and behind the handshake in the outer hello is not trusted: nobody reads it.
    for (std::size_t place = handshake; place < received.size(); ++place) {
        if (place == handshake + hello.handshake.size()) place = hello_end(received);
        CAPTURE(place, handshake, received.size());
        KitClient client{cluster, {}, {zone_root()}};
        client.spoiled_received = place;
        CHECK_FALSE(client.enter(player(2)));
        CHECK_FALSE(client.why.empty());
    }
}

TEST_CASE("a listener that encrypts refuses who does not and the other way round", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    SECTION("it encrypts") {
        encrypt(cluster);
        cluster.start();
        const auto before = rejected_hellos(cluster);
        TestClient plain{cluster};
        const auto answer = plain.hello();
        REQUIRE(answer);
        CHECK(answer->code == Code::invalid);
        CHECK(answer->message ==
              "this gateway speaks encrypted only; the hello has no handshake. A client needs to know the roots that "
              "login names");
        CHECK(plain.wait_closed());
        CHECK(rejected_hellos(cluster) == before + 1);
        // As the client kit puts it, when somebody on the way takes the handshake out.
        KitClient untrusting{cluster, {}, {}};
        CHECK_FALSE(untrusting.enter(player(1)));
        CHECK_THAT(untrusting.why, Catch::Contains("speaks encrypted only"));
    }
    SECTION("it does not") {
        cluster.start();
        const auto before = rejected_hellos(cluster);
        KitClient client{cluster, {}, {zone_root()}};
        CHECK_FALSE(client.enter(player(1)));
        CHECK(client.why == "closed: this gateway does not encrypt, and the client asks for it");
        CHECK(rejected_hellos(cluster) == before + 1);
    }
}

TEST_CASE("a client lets in no gateway of another root", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    KitClient client{cluster, {}, {SigningKey::generate().public_key()}};
    CHECK_FALSE(client.enter(player(1)));
    CHECK_THAT(client.why, Catch::Contains("not signed by a root that is trusted here"));
    // Nothing private was said: the hello is all that it sent.
    CHECK(client.sent.size() == wire::cut_frame(client.sent, client.sent.size()).consumed());
}

TEST_CASE("a gateway shows its renewed certificate without a restart", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    KitClient anna{cluster, {}, {zone_root()}};
    REQUIRE(anna.enter(player(1)));
    certify(cluster, 72h);
    // Whatever the resolution of the file system's clock.
    std::filesystem::last_write_time(certificate_file(), std::filesystem::last_write_time(certificate_file()) + 1s);
    cluster.advance(6s);  // it looks every 5 s
    CHECK(anna.echo("still here") == "still here");
    cluster.time().jump_wall(25h);  // nobody accepts the first one any more
    KitClient bert{cluster, {}, {zone_root()}};
    CHECK(bert.enter(player(2)));
    CHECK(bert.why.empty());
}

TEST_CASE("a record that was begun has to be finished", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    KitClient client{cluster, {}, {zone_root()}};
    REQUIRE(client.enter(player(1)));
    client.send_raw(Binary{100, 0, 0, 0, 1, 2, 3});
    cluster.advance(9s);
    CHECK(client.why.empty());
    cluster.advance(4s);
    CHECK_THAT(client.why, Catch::Contains("a frame was begun and not finished within 10 s"));
}

TEST_CASE("who hangs up while hands are shaken leaves nothing behind", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    Buffer hello;
    wire::noise::ClientHandshake handshake{{}, hello};
    // At every moment of it: a little later each time.
    for (int microseconds = 0; microseconds < 20; ++microseconds) {
        TestClient stranger{cluster};
        stranger.send_bytes(hello);
        cluster.advance(std::chrono::microseconds{microseconds});
        stranger.disconnect();
        cluster.advance(1s);
        CHECK(cluster.metric("all", "gameserver_gateway_connections") == 0);
    }
    KitClient client{cluster, {}, {zone_root()}};
    CHECK(client.enter(player(1)));
}

TEST_CASE("what follows a hello waits until hands are shaken", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    Buffer hello;
    wire::noise::ClientHandshake handshake{{}, hello};
    const auto whole = hello.size();
    cluster.network().set_piece_bytes(GENERATE_COPY(std::size_t{0}, whole, whole + 7));
    TestClient stranger{cluster};
    stranger.send_bytes(hello);
    stranger.send_bytes(Binary(64, 0x55));  // a record that nobody has encrypted
    CHECK(stranger.wait_closed(100ms));
    REQUIRE(stranger.server_hello());
    CHECK(stranger.server_hello()->code == Code::ok);
    CHECK(cluster.metric("all", R"(gameserver_client_rejected_total{reason="malformed"})") == 1);
}

TEST_CASE("a record of a stranger is bounded like its frames", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    TestClient stranger{cluster};
    Buffer hello;
    wire::noise::ClientHandshake handshake{{}, hello};
    stranger.send_bytes(hello);
    cluster.advance(1ms);
    CHECK(stranger.is_open());
    Binary prefix(4);
    wire::write_length(prefix.data(), 4096 + 16 + 1);
    stranger.send_bytes(prefix);
    CHECK(stranger.wait_closed(100ms));
}

}  // namespace gs::scenarios
