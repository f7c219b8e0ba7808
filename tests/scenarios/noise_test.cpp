// Encrypted clients of a whole cluster: what strangers on the way can and cannot do.
#include <catch2/catch.hpp>

#include "client/cpp/protocol.hpp"
#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"

namespace gs::scenarios {

namespace {

PublicKey zone_root() { return load_public_key(key_directory() / "zone.pub").value(); }

/// The client kit on a connection that the test may spoil.
class SecureClient final : private transport::ConnectionHandler, private client::ProtocolEvents {
public:
    explicit SecureClient(TestCluster& cluster, const std::string& gateway = {},
                          std::vector<PublicKey> roots = {zone_root()})
        : cluster_{cluster}, protocol_{*this, options(cluster, std::move(roots))} {
        const auto address = cluster.gateway_address(gateway.empty() ? cluster.first_gateway() : gateway);
        cluster.network().connect(cluster.client_loop(), address, 1s,
                                  [&](auto result) { connection_ = std::move(result).value(); });
        REQUIRE(cluster.run_until([&] { return connection_ != nullptr; }));
        connection_->start(*this);
    }
    SecureClient(const SecureClient&) = delete;
    SecureClient& operator=(const SecureClient&) = delete;
    ~SecureClient() { connection_->close(); }

    /// False: it was not let in, `why` says why, or nothing came.
    bool enter(PlayerId who) {
        token = cluster_.token(who);
        protocol_.start(token, cluster_.client_loop().now());
        flush();
        static_cast<void>(cluster_.run_until([this] { return entered_ || !why.empty(); }, 13s));
        protocol_.tick(cluster_.client_loop().now());
        return entered_;
    }
    std::string echo(std::string text) {
        struct Waiting final : client::Pending {
            void finish(Result<BytesView> body) override {
                answer = body ? msgpack::decode<echo::Echo>(*body).value().text : body.error().message();
            }
            std::optional<std::string> answer;
        };
        const auto waiting = std::make_shared<Waiting>();
        protocol_.send(echo::Echo{std::move(text)}, cluster_.client_loop().now() + 5s, waiting);
        flush();
        static_cast<void>(cluster_.run_until([&] { return waiting->answer.has_value(); }, 5s));
        return waiting->answer.value_or("no answer");
    }
    template <Request R>
    void send(const R& message) {
        struct Ignored final : client::Pending {
            void finish(Result<BytesView> /*body*/) override {}
        };
        protocol_.send(message, cluster_.client_loop().now() + 5s, std::make_shared<Ignored>());
        flush();
        cluster_.advance(5ms);
    }
    void send_raw(BytesView bytes) { connection_->output().append(bytes); }
    [[nodiscard]] bool encrypted() const { return protocol_.encrypted(); }

    // --- somebody on the way flips the bits of one byte of what is sent or received; counted from the beginning
    std::optional<std::size_t> spoiled_sent, spoiled_received;
    Binary sent, received;
    std::string token, why;
    std::vector<Command> pushes;

private:
    static client::ProtocolOptions options(TestCluster& cluster, std::vector<PublicKey> roots) {
        client::ProtocolOptions options;
        options.roots = std::move(roots);
        options.zone = "default";
        options.unix_seconds = [&cluster] {
            return std::chrono::duration_cast<std::chrono::seconds>(cluster.time().wall_now().time_since_epoch())
                .count();
        };
        return options;
    }
    static void carry(Binary& all, BytesView bytes, const std::optional<std::size_t>& spoiled) {
        const auto before = all.size();
        all.insert(all.end(), bytes.begin(), bytes.end());
        if (spoiled && *spoiled >= before && *spoiled < all.size()) all[*spoiled] ^= 0x11U;
    }
    void flush() {
        auto& output = protocol_.output();
        const auto before = sent.size();
        carry(sent, output, spoiled_sent);
        output.clear();
        connection_->output().append(BytesView{sent}.subspan(before));
    }
    std::size_t on_bytes(BytesView bytes) override {
        const auto before = received.size();
        carry(received, bytes, spoiled_received);
        protocol_.receive(BytesView{received}.subspan(before), cluster_.client_loop().now());
        flush();
        return bytes.size();
    }
    void on_closed(const Error& error) override { protocol_.lost(error.message()); }
    void on_entered(const wire::Entered& /*entered*/) override { entered_ = true; }
    void on_queued(const wire::Queued& /*queued*/) override {}
    void on_resumed(const wire::Entered& /*entered*/) override {}
    void on_push(Command command, BytesView /*body*/) override { pushes.push_back(command); }
    void on_away(const wire::Close& close) override { why = "away: " + close.reason; }
    void on_closed(const wire::Close& close) override { why = "closed: " + close.reason; }

    TestCluster& cluster_;
    client::Protocol protocol_;
    std::shared_ptr<transport::Connection> connection_;
    bool entered_ = false;
};

/// With a certificate that is good at the virtual time at which clusters begin.
void encrypt(TestCluster& cluster) {
    const auto key_file = key_directory() / "noise-test.key";
    const auto certificate_file = key_directory() / "noise-test.cert";
    const auto key = load_or_create_exchange_key(key_file).value();
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(cluster.time().wall_now());
    Certificate certificate;
    certificate.name = "gateway";
    certificate.zone = "default";
    certificate.static_key = {key.public_key().begin(), key.public_key().end()};
    certificate.not_before = now.time_since_epoch().count();
    certificate.not_after = certificate.not_before + 86'400;
    const auto root = load_private_key(key_directory() / "zone.key").value();
    save_certificate(certificate_file, sign_certificate(root, certificate)).value();
    cluster.set("gateway.tcp.security", std::string{"noise"});
    cluster.set("gateway.noise.key_file", key_file.string());
    cluster.set("gateway.noise.certificate_file", certificate_file.string());
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
    SecureClient anna{cluster};
    SecureClient bert{cluster};
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
    SecureClient anna{cluster, "gateway-1"};
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
    cluster.start();
    SecureClient witness{cluster};
    REQUIRE(witness.enter(player(1)));
    std::size_t length = 0;
    std::size_t hello = 0;
    {
        SecureClient measured{cluster};
        REQUIRE(measured.enter(player(2)));
        hello = wire::cut_frame(measured.sent, measured.sent.size()).consumed();
        length = hello + wire::cut_frame(BytesView{measured.sent}.subspan(hello), measured.sent.size()).consumed();
    }
    for (std::size_t place = 0; place < length; ++place) {
        CAPTURE(place, hello, length);
        SecureClient client{cluster};
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
        SecureClient measured{cluster};
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
        SecureClient client{cluster};
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
        SecureClient untrusting{cluster, {}, {}};
        CHECK_FALSE(untrusting.enter(player(1)));
        CHECK_THAT(untrusting.why, Catch::Contains("speaks encrypted only"));
    }
    SECTION("it does not") {
        cluster.start();
        const auto before = rejected_hellos(cluster);
        SecureClient client{cluster};
        CHECK_FALSE(client.enter(player(1)));
        CHECK(client.why == "closed: this gateway does not encrypt, and the client asks for it");
        CHECK(rejected_hellos(cluster) == before + 1);
    }
}

TEST_CASE("a client lets in no gateway of another root", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    SecureClient client{cluster, {}, {SigningKey::generate().public_key()}};
    CHECK_FALSE(client.enter(player(1)));
    CHECK_THAT(client.why, Catch::Contains("not signed by a root that is trusted here"));
    // Nothing private was said: the hello is all that it sent.
    CHECK(client.sent.size() == wire::cut_frame(client.sent, client.sent.size()).consumed());
}

TEST_CASE("a record that was begun has to be finished", "[scenario][noise][MSG-06]") {
    TestCluster cluster;
    encrypt(cluster);
    cluster.start();
    SecureClient client{cluster};
    REQUIRE(client.enter(player(1)));
    client.send_raw(Binary{100, 0, 0, 0, 1, 2, 3});
    cluster.advance(9s);
    CHECK(client.why.empty());
    cluster.advance(4s);
    CHECK_THAT(client.why, Catch::Contains("a frame was begun and not finished within 10 s"));
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
