#include "wire/noise/secure_hello.hpp"

#include <catch2/catch.hpp>

#include "wire/frame.hpp"

using namespace gs;
using namespace gs::wire;
using namespace gs::wire::noise;

namespace {

constexpr std::int64_t now = 1'795'296'830;

ExchangeKey exchange_key(std::uint8_t byte) {
    Secret secret;
    secret.bytes().fill(byte);
    return ExchangeKey::from_secret(secret);
}

SigningKey root() {
    std::array<std::uint8_t, 32> seed{};
    seed.fill(1);
    return SigningKey::from_seed(seed);
}

Identity identity(std::uint8_t key = 3, std::uint8_t certified_key = 3) {
    Certificate certificate;
    certificate.name = "gateway-1";
    certificate.zone = "default";
    const auto certified = exchange_key(certified_key).public_key();
    certificate.static_key = {certified.begin(), certified.end()};
    certificate.not_after = now + 60;
    return {exchange_key(key), sign_certificate(root(), certificate)};
}

const Trust trusted{{root().public_key()}, "default"};

/// A client and a gateway, and the two frames between them.
struct Meeting {
    Meeting() { handshake.emplace(client_hello(), request, exchange_key(4)); }
    static ClientHello client_hello() {
        ClientHello hello;
        hello.client_version = "demo 1.0";
        return hello;
    }
    static ServerHello server_hello() {
        ServerHello hello;
        hello.heartbeat_ms = 15'000;
        hello.nonce = Binary(16, 9);
        hello.security = "noise";
        return hello;
    }
    static BytesView payload(const Buffer& frame) { return frame.view().subspan(frame_prefix_bytes); }
    Result<Records> answer(const Identity& shown = identity()) {
        return answer_secure_hello(payload(request), shown, server_hello(), reply, exchange_key(5));
    }
    Result<ClientHandshake::Finished> finish(const Trust& trust = trusted, std::int64_t at = now) {
        const auto outer = parse_server_hello(payload(reply));
        if (!outer) return outer.error();
        return handshake->finish(*outer, trust, at);
    }

    Buffer request, reply;
    std::optional<ClientHandshake> handshake;
};

std::string passed(RecordWriter& writer, RecordReader& reader, std::string_view text) {
    Buffer cipher;
    Buffer plain;
    if (!writer.write(as_bytes(text), cipher)) return "not written";
    if (reader.read(cipher, plain).status != RecordReader::Status::record) return "not read";
    return std::string{as_text(plain)};
}

}  // namespace

TEST_CASE("client and gateway agree on an encrypted connection", "[wire][noise][MSG-06]") {
    Meeting meeting;
    auto gateway = meeting.answer();
    REQUIRE(gateway);
    auto client = meeting.finish();
    REQUIRE(client);
    CHECK(client->certificate.name == "gateway-1");
    CHECK(client->hello.nonce == Binary(16, 9));
    CHECK(client->hello.heartbeat_ms == 15'000);
    CHECK(passed(client->records.writer, gateway->reader, "token") == "token");
    CHECK(passed(gateway->writer, client->records.reader, "entered") == "entered");
    // What the gateway sends is not what the client sends, sent back.
    Buffer cipher;
    Buffer plain;
    REQUIRE(client->records.writer.write(as_bytes("again"), cipher));
    CHECK(client->records.reader.read(cipher, plain).status == RecordReader::Status::broken);
}

TEST_CASE("nothing but the handshake is outside of the encryption", "[wire][noise][MSG-06]") {
    Meeting meeting;
    REQUIRE(meeting.answer());
    const auto outer = parse_server_hello(Meeting::payload(meeting.reply)).value();
    CHECK(outer.code == Code::ok);
    CHECK(outer.security == "noise");
    CHECK(outer.nonce.empty());
    CHECK(outer.heartbeat_ms == 0);
    CHECK(as_text(meeting.reply).find("gateway-1") == std::string_view::npos);
}

TEST_CASE("any bit of the two hellos that was changed breaks the connection", "[wire][noise][MSG-06]") {
    const auto works = [](auto change_request, auto change_reply) {
        Meeting meeting;
        change_request(meeting.request);
        if (!meeting.answer()) return false;
        change_reply(meeting.reply);
        return meeting.finish().has_value();
    };
    const auto nothing = [](Buffer& /*frame*/) {};
    const auto flip = [](std::size_t bit) {
        return [bit](Buffer& frame) { frame.data()[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8)); };
    };
    REQUIRE(works(nothing, nothing));
    Meeting meeting;
    REQUIRE(meeting.answer());
    // The length in front of the payload is not the handshake's business, nor are the magic (it tells nothing) and the
    // fields of the outer hello that nobody reads.
    const auto magic_end = frame_prefix_bytes + hello_magic.size();
    for (auto bit = magic_end * 8; bit < meeting.request.size() * 8; ++bit) {
        CAPTURE(bit);
        CHECK_FALSE(works(flip(bit), nothing));
    }
    const auto outer = parse_server_hello(Meeting::payload(meeting.reply)).value();
    const auto all = as_text(meeting.reply);
    const auto begin = all.find(as_text(outer.handshake));
    REQUIRE(begin != std::string_view::npos);
    for (auto bit = begin * 8; bit < (begin + outer.handshake.size()) * 8; ++bit) {
        CAPTURE(bit);
        CHECK_FALSE(works(nothing, flip(bit)));
    }
}

TEST_CASE("a hello that was cut short on the way is refused", "[wire][noise][MSG-06]") {
    for (std::size_t length = 0; length < Meeting{}.request.size() - frame_prefix_bytes; ++length) {
        CAPTURE(length);
        Meeting meeting;
        Buffer out;
        CHECK_FALSE(answer_secure_hello(Meeting::payload(meeting.request).first(length), identity(),
                                        Meeting::server_hello(), out));
        CHECK(out.empty());
    }
}

TEST_CASE("a client takes only a gateway that its roots vouch for", "[wire][noise][MSG-06]") {
    const auto refusal = [](const Identity& shown, const Trust& trust, std::int64_t at = now) {
        Meeting meeting;
        REQUIRE(meeting.answer(shown));
        const auto finished = meeting.finish(trust, at);
        if (finished) return std::string{"accepted"};
        CHECK(finished.error().code() == Code::unauthenticated);
        return finished.error().message();
    };
    CHECK(refusal(identity(), trusted) == "accepted");
    std::array<std::uint8_t, 32> seed{};
    CHECK_THAT(refusal(identity(), {{SigningKey::from_seed(seed).public_key()}, "default"}),
               Catch::Contains("not signed by a root that is trusted here"));
    CHECK_THAT(refusal(identity(), {{root().public_key()}, "other"}), Catch::Contains("is for zone"));
    CHECK_THAT(refusal(identity(), trusted, now + 60), Catch::Contains("expired"));
    // It shows the certificate of another gateway.
    CHECK_THAT(refusal(identity(6, 3), trusted), Catch::Contains("is for another key"));
}

TEST_CASE("a client that asked for encryption takes nothing less", "[wire][noise][MSG-06]") {
    Meeting meeting;
    ServerHello plain = Meeting::server_hello();
    plain.security = "none";
    write_hello(meeting.reply, plain);
    const auto finished = meeting.finish();
    REQUIRE_FALSE(finished);
    CHECK_THAT(finished.error().message(), Catch::Contains("answers with security \"none\""));
}

TEST_CASE("a gateway says what is wrong with a hello", "[wire][noise][MSG-06]") {
    const auto refusal = [](const ClientHello& hello) {
        Buffer frame;
        write_hello(frame, hello);
        Buffer out;
        const auto answered = answer_secure_hello(Meeting::payload(frame), identity(), {}, out);
        CHECK(out.empty());
        return answered ? std::string{"accepted"} : answered.error().message();
    };
    ClientHello hello;
    CHECK(refusal(hello) ==
          "this gateway speaks encrypted only; the hello has no handshake. A client needs to know the roots that login "
          "names");
    hello.handshake.assign(33, 1);
    CHECK(refusal(hello) == "the handshake in the hello has 33 bytes; it must have 32");
    hello.handshake.assign(32, 0);  // a key with which everybody would agree on zero
    CHECK_THAT(refusal(hello), Catch::Contains("not a usable one"));
}

TEST_CASE("an answer is good for the hello that it answers only", "[wire][noise][MSG-06]") {
    Meeting first;
    REQUIRE(first.answer());
    Buffer request;
    ClientHandshake second{Meeting::client_hello(), request};
    const auto outer = parse_server_hello(Meeting::payload(first.reply)).value();
    CHECK_FALSE(second.finish(outer, trusted, now));
}
