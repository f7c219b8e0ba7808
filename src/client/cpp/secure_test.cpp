// The client kit's side of an encrypted connection, against a gateway that the test plays.
#include <catch2/catch.hpp>

#include "base/crypto/crypto.hpp"
#include "client/cpp/login.hpp"
#include "client/cpp/protocol_talk.hpp"
#include "wire/noise/secure_hello.hpp"

using namespace gs;
using namespace gs::client;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t today = 1'795'296'830;

SigningKey root(std::uint8_t seed = 1) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(seed);
    return SigningKey::from_seed(bytes);
}

Identity identity(const SigningKey& signer = root()) {
    const auto key = ExchangeKey::generate();
    Certificate certificate;
    certificate.name = "gateway-1";
    certificate.zone = "default";
    certificate.static_key = {key.public_key().begin(), key.public_key().end()};
    certificate.not_after = today + 60;
    return {key, sign_certificate(signer, certificate)};
}

/// A client that pins a root, and its gateway.
struct SecureTalk {
    explicit SecureTalk(std::int64_t clock = today, const std::string& zone = {})
        : protocol{events, options(clock, zone)} {}
    static ProtocolOptions options(std::int64_t clock, const std::string& zone) {
        ProtocolOptions options;
        options.roots = {root().public_key()};
        options.zone = zone;
        options.unix_seconds = [clock] { return clock; };
        return options;
    }

    Binary take() {
        auto& output = protocol.output();
        Binary bytes{output.view().begin(), output.view().end()};
        output.clear();
        return bytes;
    }
    /// The gateway's answer to the client's hello.
    Buffer answer(const Identity& shown = identity()) {
        const auto request = take();
        wire::ServerHello inner;
        inner.security = "noise";
        inner.nonce = Binary(16, 6);
        Buffer reply;
        records = wire::noise::answer_secure_hello(BytesView{request}.subspan(4), shown, inner, reply).value();
        return reply;
    }
    Buffer sealed(BytesView frames) {
        Buffer out;
        REQUIRE(records->writer.write(frames, out));
        return out;
    }
    template <class Body>
    Buffer sealed(const wire::Header& header, const Body& body) {
        Buffer frame;
        wire::write_framed(frame, header, body);
        return sealed(frame);
    }
    Buffer sealed_entered() {
        wire::Entered entered;
        entered.player = PlayerId{7};
        entered.session = 9;
        entered.key = Binary(32, 5);
        return sealed({wire::Kind::reply, false, command_of<wire::Enter>, 0}, entered);
    }
    void enter() {
        protocol.start("token", now);
        protocol.receive(answer(), now);
        static_cast<void>(opened());
        protocol.receive(sealed_entered(), now);
        REQUIRE(protocol.entered());
        static_cast<void>(take());
    }
    /// What the client sent, decrypted; empty when that fails.
    Buffer opened() {
        Buffer plain;
        for (Buffer bytes = buffer(take()); !bytes.empty();) {
            const auto read = records->reader.read(bytes, plain);
            last = read.status;
            if (read.consumed == 0) return {};
            bytes.consume(read.consumed);
        }
        return plain;
    }
    static Buffer buffer(BytesView bytes) {
        Buffer copy;
        copy.append(bytes);
        return copy;
    }

    Recorder events;
    Protocol protocol;
    Time now{1h};
    std::optional<wire::noise::Records> records;
    wire::noise::RecordReader::Status last{};
};

}  // namespace

TEST_CASE("client: the token leaves only inside of the encryption", "[client][noise][MSG-06]") {
    SecureTalk talk;
    talk.protocol.start("the secret token", talk.now);
    const auto reply = talk.answer();
    for (const auto byte : reply.view()) talk.protocol.receive({&byte, 1}, talk.now);
    CHECK(talk.protocol.encrypted());
    CHECK(as_text(talk.protocol.output()).find("token") == std::string_view::npos);
    const auto plain = talk.opened();
    CHECK(as_text(plain).find("the secret token") != std::string_view::npos);
    // What follows the hello in the same bytes is read as records, whatever the pieces.
    const auto entered = talk.sealed_entered();
    for (const auto byte : entered.view()) talk.protocol.receive({&byte, 1}, talk.now);
    CHECK(talk.events.player == PlayerId{7});

    SecureTalk at_once;
    at_once.protocol.start("token", at_once.now);
    auto all = at_once.answer();
    all.append(at_once.sealed_entered());
    at_once.protocol.receive(all, at_once.now);
    CHECK(at_once.protocol.entered());
}

TEST_CASE("client: a gateway that the pinned roots do not vouch for is left", "[client][noise][MSG-06]") {
    const auto refusal = [](SecureTalk& talk, const Identity& shown) {
        talk.protocol.start("token", talk.now);
        talk.protocol.receive(talk.answer(shown), talk.now);
        CHECK(talk.take().empty());  // nothing is said to it
        if (talk.events.closed.size() != 1) return std::string{"it was not left"};
        CHECK(talk.events.closed[0].code == Code::unauthenticated);
        return talk.events.closed[0].reason;
    };
    SecureTalk wrong_root;
    CHECK_THAT(refusal(wrong_root, identity(root(2))), Catch::Contains("not signed by a root"));
    SecureTalk expired{today + 60};
    CHECK_THAT(refusal(expired, identity()), Catch::Contains("expired"));
    SecureTalk zone{today, "other"};
    CHECK_THAT(refusal(zone, identity()), Catch::Contains("is for zone"));
}

TEST_CASE("client: with pinned roots nothing but encryption will do", "[client][noise][MSG-06]") {
    SecureTalk talk;
    talk.protocol.start("token", talk.now);
    talk.take();
    Buffer reply;
    wire::write_hello(reply, wire::ServerHello{});
    talk.protocol.receive(reply, talk.now);
    REQUIRE(talk.events.closed.size() == 1);
    CHECK_THAT(talk.events.closed[0].reason, Catch::Contains("answers with security \"none\""));
    CHECK(talk.take().empty());
}

TEST_CASE("client: roots that login names are used when none are pinned", "[client][noise][MSG-06]") {
    SecureTalk pinned;
    pinned.protocol.trust({root(2).public_key()});
    pinned.enter();

    Recorder events;
    Protocol protocol{events};
    const Time now{1h};
    protocol.start("token", now);
    CHECK(wire::parse_client_hello(protocol.output().view().subspan(4)).value().handshake.empty());
    protocol.trust({root().public_key()});
    protocol.start("token", now);
    CHECK(wire::parse_client_hello(protocol.output().view().subspan(4)).value().handshake.size() == 32);
}

TEST_CASE("client: an impostor does not end a session", "[client][noise][MSG-06]") {
    SecureTalk talk;
    talk.enter();
    talk.protocol.lost("reset");
    REQUIRE(talk.events.away.size() == 1);
    CHECK(talk.events.away[0].reason == "the connection was cut: reset");
    for (const bool plain : {true, false}) {
        talk.protocol.resume(talk.now);
        auto reply = talk.answer(identity(root(2)));
        if (plain) {
            reply.clear();
            wire::write_hello(reply, wire::ServerHello{});
        }
        talk.protocol.receive(reply, talk.now);
        CHECK(talk.take().empty());
        CHECK(talk.protocol.away());
    }
    CHECK(talk.events.closed.empty());
    talk.protocol.resume(talk.now);
    talk.protocol.receive(talk.answer(), talk.now);
    const auto frames = talk.opened();
    const auto message = wire::parse_message(wire::cut_frame(frames, 1000).payload);
    CHECK(msgpack::decode<wire::Enter>(message.body).value().session == 9);
}

TEST_CASE("client: a record that was changed ends the connection and not the session", "[client][noise][MSG-06]") {
    SecureTalk talk;
    talk.enter();
    auto record = talk.sealed({wire::Kind::push, false, 1300, 0, 1}, echo::Echo{"x"});
    record.data()[6] ^= 1U;
    talk.protocol.receive(record, talk.now);
    CHECK(talk.events.pushes.empty());
    REQUIRE(talk.events.away.size() == 1);
    CHECK(talk.events.away[0].reason == "what came is not what the server encrypted");
    CHECK(talk.take().empty());
    CHECK(talk.protocol.in_session());
}

TEST_CASE("client: the end of the stream is told from a cut", "[client][noise][MSG-06]") {
    SecureTalk talk;
    talk.enter();
    SECTION("a real end") {
        Buffer end;
        REQUIRE(talk.records->writer.write_end(end));
        talk.protocol.receive(end, talk.now);
        REQUIRE(talk.events.away.size() == 1);
        CHECK(talk.events.away[0].reason == "the connection was lost: the server closed it");
    }
    SECTION("who closes says so") {
        talk.protocol.close();
        const auto plain = talk.opened();
        CHECK(wire::parse_message(wire::cut_frame(plain, 100).payload).header.command == command_of<wire::Leave>);
        CHECK(talk.last == wire::noise::RecordReader::Status::end);
    }
}

TEST_CASE("client: login names the roots of its gateways", "[client][noise][MSG-06]") {
    const auto with = [](const std::string& roots) {
        return parse_gateways(R"({"gateways":[{"name":"g","address":"127.0.0.1:7000"}])" + roots + "}");
    };
    const auto key = root().public_key();
    const auto named = with(fmt::format(R"(,"roots":["{}"])", base64url_encode(key.bytes()))).value();
    REQUIRE(named[0].roots.size() == 1);
    CHECK(named[0].roots[0].id() == key.id());
    CHECK(with("").value()[0].roots.empty());
    CHECK(with(R"(,"roots":[])").value()[0].roots.empty());
    CHECK(with(R"(,"roots":["AAAA"])").error().code() == Code::invalid);
    CHECK(with(R"(,"roots":[7])").error().code() == Code::invalid);
}
