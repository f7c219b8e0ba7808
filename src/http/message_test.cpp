#include "http/message.hpp"

#include <catch2/catch.hpp>

using namespace gs;
using namespace gs::http;

TEST_CASE("an error becomes JSON with the status of its code", "[http][NET-07]") {
    const auto response = json_error(Code::not_found, "no player \"a\"\n");
    REQUIRE(response.status == 404);
    REQUIRE(response.content_type == "application/json");
    REQUIRE(response.body == R"({"error":{"code":"not_found","message":"no player \"a\"\n"}})");
    REQUIRE_THAT(json_error(Code::invalid, "\xff").body, Catch::Contains("\xef\xbf\xbd"));

    REQUIRE(status_of(Code::invalid) == 400);
    REQUIRE(status_of(Code::unauthenticated) == 401);
    REQUIRE(status_of(Code::forbidden) == 403);
    REQUIRE(status_of(Code::conflict) == 409);
    REQUIRE(status_of(Code::limited) == 429);
    REQUIRE(status_of(Code::internal) == 500);
    REQUIRE(status_of(Code::busy) == 503);
    REQUIRE(status_of(Code::unavailable) == 503);
    REQUIRE(status_of(Code::deadline) == 504);
}

TEST_CASE("a header is found in any case", "[http][NET-07]") {
    const Headers headers{{"Content-Type", "text/plain"}, {"X-A", "1"}, {"x-a", "2"}};
    REQUIRE(find_header(headers, "content-type") == "text/plain");
    REQUIRE(find_header(headers, "X-A") == "1");
    REQUIRE(find_header(headers, "X").empty());
}
