#include "client/cpp/login.hpp"

#include <catch2/catch.hpp>

using namespace gs;
using namespace gs::client;

TEST_CASE("login answers are read with all their fields", "[client][TOL-02]") {
    const auto login =
        parse_login(R"({"token":"abc","expires_at":1700000000,"player":"18446744073709551615","guest_key":"k",
        "gateways":[{"name":"gateway-1","address":"127.0.0.1:7000","load":0.25},{"name":"six","address":"[::1]:7001"}]})")
            .value();
    CHECK(login.token == "abc");
    CHECK(login.expires_at == 1'700'000'000);
    CHECK(login.player == PlayerId{18'446'744'073'709'551'615U});
    CHECK(login.guest_key == "k");
    REQUIRE(login.gateways.size() == 2);
    CHECK(login.gateways[0].host == "127.0.0.1");
    CHECK(login.gateways[0].port == 7000);
    CHECK(login.gateways[0].load == 0.25);
    CHECK(login.gateways[1].host == "::1");
}

TEST_CASE("login answers that are not as expected say what is wrong", "[client][TOL-02]") {
    CHECK(parse_login("<html>").error().code() == Code::invalid);
    CHECK(parse_login("{}").error().message().find("token") != std::string::npos);
    CHECK(parse_gateways(R"({"gateways":[{"name":"g","address":"nowhere"}]})").error().message().find("host:port") !=
          std::string::npos);
    CHECK(parse_gateways(R"({"gateways":[{"name":"g","address":"h:70000"}]})").error().code() == Code::invalid);
}

TEST_CASE("login errors keep the code of the server", "[client][TOL-02]") {
    const auto error = parse_login_error(401, R"({"error":{"code":"unauthenticated","message":"wrong password"}})");
    CHECK(error.code() == Code::unauthenticated);
    CHECK(error.message() == "wrong password");
    CHECK(parse_login_error(502, "Bad Gateway").code() == Code::unavailable);
    CHECK(parse_login_error(404, R"({"error":"?"})").code() == Code::invalid);
}

TEST_CASE("a login server that is not there is unavailable", "[client][TOL-02]") {
    LoginClient login{"http://127.0.0.1:1/"};
    CHECK(login.guest().error().code() == Code::unavailable);
}
