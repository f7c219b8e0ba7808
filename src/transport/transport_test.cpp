#include <catch2/catch.hpp>

#include "transport/transport.hpp"

using namespace gs;
using namespace gs::transport;

TEST_CASE("an address is cut into host and port", "[transport][NET-10]") {
    const auto cut = [](const char* address) {
        const auto parts = parse_host_port(address);
        return parts ? fmt::format("{} {}", parts->host, parts->port) : std::string{"refused"};
    };
    CHECK(cut("127.0.0.1:7000") == "127.0.0.1 7000");
    CHECK(cut("[::1]:65535") == "::1 65535");
    CHECK(cut("game.example:0") == "game.example 0");
    CHECK(cut("") == "refused");
    CHECK(cut(":7000") == "refused");
    CHECK(cut("host") == "refused");
    CHECK(cut("host:") == "refused");
    CHECK(cut("host:65536") == "refused");
    CHECK(cut("host:-1") == "refused");
    CHECK(cut("host:70x") == "refused");
    CHECK_THAT(parse_host_port("host").error().message(), Catch::Contains("127.0.0.1:7000"));
}

TEST_CASE("loopback addresses are known", "[transport]") {
    CHECK(is_loopback("127.0.0.1:7000"));
    CHECK(is_loopback("127.1.2.3"));
    CHECK(is_loopback("[::1]:7000"));
    CHECK(is_loopback("localhost:1"));
    CHECK_FALSE(is_loopback("0.0.0.0:7000"));
    CHECK_FALSE(is_loopback("192.168.1.1:7000"));
}
