#include <catch2/catch.hpp>

#include "wire/frame.hpp"
#include "wire/system.hpp"

using namespace gs;
using namespace gs::wire;

namespace {

template <class Hello>
Binary payload_of(const Hello& hello) {
    Buffer out;
    write_hello(out, hello);
    const auto cut = cut_frame(out, 4096);
    REQUIRE(cut.status == FrameCut::Status::frame);
    REQUIRE(cut.consumed() == out.size());
    return {cut.payload.begin(), cut.payload.end()};
}

}  // namespace

TEST_CASE("both hellos come back as they went", "[wire][NET-01]") {
    ClientHello client;
    client.protocol_max = 3;
    client.client_version = "1.2.3";
    client.features = 5;
    client.handshake = {1, 2, 3};
    const auto from_client = parse_client_hello(payload_of(client)).value();
    CHECK(from_client.protocol_min == protocol_version);
    CHECK(from_client.protocol_max == 3);
    CHECK(from_client.client_version == "1.2.3");
    CHECK(from_client.features == 5);
    CHECK((from_client.handshake == Binary{1, 2, 3}));

    ServerHello server;
    server.code = Code::busy;
    server.message = "full";
    server.heartbeat_ms = 15'000;
    server.frame_bytes_max = 65'536;
    const auto from_server = parse_server_hello(payload_of(server)).value();
    CHECK(from_server.code == Code::busy);
    CHECK(from_server.message == "full");
    CHECK(from_server.heartbeat_ms == 15'000);
    CHECK(from_server.frame_bytes_max == 65'536);
    CHECK(from_server.security == "none");
}

TEST_CASE("a hello without the magic is refused and says what is expected", "[wire][NET-01]") {
    auto payload = payload_of(ClientHello{});
    REQUIRE(parse_client_hello(payload));
    for (std::size_t index = 0; index < hello_magic.size(); ++index) {
        auto wrong = payload;
        wrong[index] ^= 1;
        const auto refused = parse_client_hello(wrong);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == Code::invalid);
        CHECK_THAT(refused.error().message(), Catch::Contains("GSP1"));
    }
    CHECK_FALSE(parse_client_hello({}));
    CHECK_FALSE(parse_client_hello(as_bytes("GSP")));
    CHECK_FALSE(parse_client_hello(as_bytes("GSP1")));
    for (std::size_t size = 0; size < payload.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(parse_client_hello(BytesView{payload}.first(size)));
    }
}

TEST_CASE("other protocols are called by their name", "[wire][NET-01]") {
    CHECK(foreign_protocol(as_bytes("GET / HTTP/1.1\r\n")) == "HTTP");
    CHECK(foreign_protocol(as_bytes("POST /x")) == "HTTP");
    CHECK(foreign_protocol(as_bytes("PRI * HTTP/2.0")) == "HTTP");
    CHECK(foreign_protocol(as_bytes("SSH-2.0-OpenSSH")) == "SSH");
    CHECK(foreign_protocol(Binary{0x16, 0x03, 0x01, 0x02}) == "TLS");
    CHECK(foreign_protocol(as_bytes("GE")).empty());
    CHECK(foreign_protocol({}).empty());
    Buffer hello;
    write_hello(hello, ClientHello{});
    CHECK(foreign_protocol(hello).empty());
}
