// The worked example of docs/protocol.md, made again by the code and compared byte by byte: the page cannot go stale.
// A block there is opened by ```hex and a name; what follows a semicolon is for the reader.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include <catch2/catch.hpp>

#include "base/crypto/crypto.hpp"
#include "wire/message.hpp"
#include "wire/noise/secure_hello.hpp"
#include "wire/sealing.hpp"
#include "wire/system.hpp"

using namespace gs;

namespace {

// The shapes of modules/echo and modules/chat, which stand above this folder.
struct Echo {
    std::string text;
    FIELDS(text)
};
struct Line {
    std::uint64_t number = 0;
    PlayerId from{};
    std::string text;
    FIELDS(number, from, text)
};
struct Said {
    std::string channel;
    Line line;
    FIELDS(channel, line)
};
constexpr Command echo_command = 1000, said_command = 1204;

std::string page() {
    std::ifstream in{GS_SOURCE_DIR "/docs/protocol.md"};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string hex_of(BytesView bytes) {
    std::string text;
    for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

Binary bytes_of(const std::string& hex) {
    Binary bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(at, 2), nullptr, 16)));
    return bytes;
}

/// The bytes of a block, without spaces and remarks.
std::string documented(const std::string& name) {
    const auto text = page();
    const auto opening = "```hex " + name + "\n";
    const auto begin = text.find(opening);
    if (begin == std::string::npos) return "docs/protocol.md has no block " + name;
    std::istringstream lines{
        text.substr(begin + opening.size(), text.find("```", begin + opening.size()) - begin - opening.size())};
    std::string hex;
    for (std::string line; std::getline(lines, line);) {
        line.resize(std::min(line.size(), line.find(';')));
        std::copy_if(line.begin(), line.end(), std::back_inserter(hex), [](char letter) { return letter != ' '; });
    }
    return hex;
}

template <class Body>
std::string framed(const wire::Header& header, const Body& body) {
    Buffer out;
    wire::write_framed(out, header, body);
    return hex_of(out);
}

template <class Hello>
std::string hello(const Hello& message) {
    Buffer out;
    wire::write_hello(out, message);
    return hex_of(out);
}

}  // namespace

TEST_CASE("docs/protocol.md shows the hello of both sides as they are", "[wire][docs]") {
    wire::ClientHello client;
    client.client_version = "demo 1.0";
    CHECK(documented("client-hello") == hello(client));

    wire::ServerHello server;
    server.nonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    server.heartbeat_ms = 15'000;
    server.frame_bytes_max = 16'384;
    CHECK(documented("server-hello") == hello(server));

    wire::ServerHello refused;
    refused.code = Code::invalid;
    refused.message = "no";
    CHECK(documented("server-hello-refused") == hello(refused));
}

TEST_CASE("docs/protocol.md shows an encrypted connection as it is", "[wire][docs][MSG-06]") {
    const auto key = [](std::uint8_t byte) {
        Secret secret;
        secret.bytes().fill(byte);
        return ExchangeKey::from_secret(secret);
    };
    std::array<std::uint8_t, 32> seed{};
    seed.fill(1);
    const auto root = SigningKey::from_seed(seed);
    CHECK(page().find(hex_of(root.public_key().bytes())) != std::string::npos);

    wire::ClientHello client_hello;
    client_hello.client_version = "demo 1.0";
    Buffer client;
    wire::noise::ClientHandshake handshake{client_hello, client, key(4)};
    CHECK(documented("secure-client-hello") == hex_of(client));

    Certificate certificate;
    certificate.name = "gateway-1";
    certificate.roles = {"gateway"};
    certificate.zone = "default";
    const auto own = key(3);
    certificate.static_key = {own.public_key().begin(), own.public_key().end()};
    certificate.not_before = 1'795'296'830;
    certificate.not_after = certificate.not_before + 86'400;
    certificate.serial = 9;
    const auto shown = sign_certificate(root, certificate);
    CHECK(documented("secure-certificate") == hex_of(msgpack::encode(shown)));

    wire::ServerHello hello;
    hello.security = "noise";
    hello.heartbeat_ms = 15'000;
    hello.frame_bytes_max = 16'384;
    hello.nonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    Buffer server;
    const auto payload = client.view().subspan(wire::frame_prefix_bytes);
    wire::noise::answer_secure_hello(payload, {own, shown}, hello, server, key(5)).value();
    CHECK(documented("secure-server-hello") == hex_of(server));

    const auto outer = wire::parse_server_hello(server.view().subspan(wire::frame_prefix_bytes)).value();
    auto finished = handshake.finish(outer, {{root.public_key()}, "default"}, certificate.not_before).value();
    wire::Enter enter;
    enter.token = "TOKEN";
    Buffer frame;
    wire::write_framed(frame, {wire::Kind::request, false, 1, 0}, enter);
    Buffer record;
    REQUIRE(finished.records.writer.write(frame, record));
    CHECK(documented("secure-enter") == hex_of(record));
    record.clear();
    REQUIRE(finished.records.writer.write_end(record));
    CHECK(documented("secure-end") == hex_of(record));
}

TEST_CASE("docs/protocol.md shows enter and its reply as they are", "[wire][docs]") {
    wire::Enter enter;
    enter.token = "TOKEN";
    CHECK(documented("enter") == framed({wire::Kind::request, false, 1, 0}, enter));
    wire::Entered entered;
    entered.player = PlayerId{7};
    entered.server_time_ms = 1'795'296'830'000;
    entered.session = 0x10000000009;
    entered.key = Binary(32, 0x11);
    CHECK(documented("entered") == framed({wire::Kind::reply, false, 1, 0, 0, false, true}, entered));
}

TEST_CASE("docs/protocol.md shows how a session is resumed as it is", "[wire][docs][SES-01]") {
    wire::Enter enter;
    enter.player = PlayerId{7};
    enter.session = 0x10000000009;
    enter.received = 41;
    enter.answered = 12;
    const Binary nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    enter.proof = wire::session_proof(Binary(32, 0x11), nonce, enter);
    CHECK(documented("enter-resume") == framed({wire::Kind::request, false, 1, 0}, enter));
}

TEST_CASE("docs/protocol.md shows requests replies pushes and errors as they are", "[wire][docs]") {
    CHECK(documented("echo-request") == framed({wire::Kind::request, false, echo_command, 1}, Echo{"hello"}));
    CHECK(documented("echo-reply") == framed({wire::Kind::reply, false, echo_command, 1, 1}, Echo{"hello"}));
    CHECK(documented("echo-request-ack") == framed({wire::Kind::request, false, echo_command, 2, 1}, Echo{"hello"}));
    CHECK(documented("said-push") ==
          framed({wire::Kind::push, false, said_command, 0}, Said{"lobby", {3, PlayerId{7}, "hi"}}));

    Buffer error;
    const auto begin = wire::begin_frame(error);
    wire::write_error(error, {wire::Kind::request, false, 999, 300}, {Code::unknown_command, "unknown"}, 1000);
    wire::finish_frame(error, begin);
    CHECK(documented("error-reply") == hex_of(error));
}

TEST_CASE("docs/protocol.md shows the control messages as they are", "[wire][docs]") {
    CHECK(documented("ping") == framed({wire::Kind::control, false, 2, 0}, wire::Ping{1'000'000, 750}));
    CHECK(documented("pong") == framed({wire::Kind::control, false, 3, 0}, wire::Pong{1'000'000}));
    CHECK(documented("close") ==
          framed({wire::Kind::control, false, 4, 0}, wire::Close{Code::fenced, "elsewhere", false}));
    CHECK(documented("ack") == framed({wire::Kind::control, false, 5, 0}, wire::Ack{300}));
    CHECK(documented("queued") == framed({wire::Kind::control, false, 7, 0}, wire::Queued{12, 180}));
    CHECK(documented("leave") == framed({wire::Kind::control, false, 6, 0}, wire::Leave{}));
}

TEST_CASE("docs/protocol.md lists every error code with its number", "[wire][docs]") {
    const auto text = page();
    for (std::uint8_t number = 0; to_string(static_cast<Code>(number)) != "unknown"; ++number) {
        const auto row = fmt::format("| {} | `{}` |", number, to_string(static_cast<Code>(number)));
        CAPTURE(row);
        CHECK(text.find(row) != std::string::npos);
    }
}

TEST_CASE("docs/protocol.md shows sealed messages as they are", "[wire][docs][MSG-05][MSG-08][MSG-09]") {
    const auto message = [](const wire::Header& header, const std::string& text) {
        Buffer plain;
        wire::write_message(plain, header, Echo{text});
        return plain;
    };
    Buffer request;
    wire::seal(message({wire::Kind::request, false, 1000, 1}, "hello"),
               {wire::feature::checksum | wire::feature::time, 1024, 77}, false, request);
    CHECK(documented("sealed-checksum-time") == hex_of(request));

    // What another version of the library compresses may look otherwise.
    const auto compressed = bytes_of(documented("sealed-compressed"));
    Buffer push;
    const auto payload = BytesView{compressed}.subspan(wire::frame_prefix_bytes);
    REQUIRE(wire::unseal(payload, false, wire::feature::compression, 1000, push).fault == wire::SealFault::none);
    const auto plain = message({wire::Kind::push, false, 1234, 0}, std::string(64, 'a'));
    CHECK(as_text(push.view().subspan(wire::frame_prefix_bytes)) == as_text(plain.view()));
}
