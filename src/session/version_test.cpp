#include "session/version.hpp"

#include <catch2/catch.hpp>

using namespace gs::session;

TEST_CASE("versions are compared number by number", "[session][ACC-03]") {
    const auto version = [](const char* text) { return parse_version(text).value(); };
    CHECK(version("1.9") < version("1.10"));
    CHECK(version("1.9.9.9") < version("2"));
    CHECK(version("1.2") == version("1.2.0.0"));
    CHECK(version("1.2-beta.7+x") == version("1.2"));
    CHECK(version("3.0 debug") == version("3"));
    CHECK(version("0.0.0.1") > version("0"));
}

TEST_CASE("what is no version is refused", "[session][ACC-03]") {
    for (const auto* text : {"", "cpp", ".1", "1.", "1..2", "1.2.3.4.5", "v1", "-1", "1.x", "4294967296", "1,2"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_version(text));
    }
}
