#include "base/utf8.hpp"

#include <catch2/catch.hpp>

#include "base/escape.hpp"

using namespace gs;

TEST_CASE("UTF-8 is told from what only looks like it", "[base]") {
    for (const auto* good :
         {"", "plain ascii, longer than a word", "é", "€", "😀", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
        CAPTURE(good);
        CHECK(is_utf8(good));
    }
    for (const auto* bad : {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                            "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "12345678\xe2\x82", "\xe2\x28\xa1"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_utf8(bad));
    }
}

TEST_CASE("printable text has no way to steer a terminal", "[base]") {
    const auto printable = [](std::string_view text, std::string_view also = {}) {
        std::string out;
        append_printable(out, text, also);
        return out;
    };
    CHECK(printable("plain é 😀 \\ \"") == "plain é 😀 \\ \"");
    CHECK(printable("a\nb\r\tc") == "a\\nb\\r\\tc");
    CHECK(printable("\x1b[31m\x7f") == "\\x1b[31m\\x7f");
    CHECK(printable("\xc2\x9b"
                    "31m") == "\\x9b31m");
    CHECK(printable("\u2028\u202e") == "\\u2028\\u202e");
    CHECK(printable("\xff\xe2\x82") == "\\xff\\xe2\\x82");
    CHECK(printable("say \"x\\\"", "\"\\") == "say \\\"x\\\\\\\"");
}

TEST_CASE("JSON text is escaped and always UTF-8", "[base]") {
    std::string out;
    append_json_text(out, std::string_view{"a\"\\\n\x01\0é\xff", 9});
    CHECK(out == "\"a\\\"\\\\\\n\\u0001\\u0000é\xef\xbf\xbd\"");
}

TEST_CASE("JSON text is escaped wherever in a long text it stands", "[base]") {
    for (int byte = 0; byte < 0x100; ++byte) {
        for (std::size_t place = 0; place < 20; ++place) {
            std::string before(place, 'a');
            const std::string after(19 - place, 'z');
            const std::string one(1, static_cast<char>(byte));
            std::string alone;
            append_json_text(alone, one);
            std::string whole;
            append_json_text(whole, before + one + after);
            CAPTURE(byte, place);
            REQUIRE(whole == '"' + before + alone.substr(1, alone.size() - 2) + after + '"');
        }
    }
}

TEST_CASE("a shortened text does not end in half a character", "[base]") {
    CHECK(utf8_prefix("abc", 5) == "abc");
    CHECK(utf8_prefix("aé", 2) == "a");
    CHECK(utf8_prefix("aé", 3) == "aé");
    CHECK(utf8_prefix("😀", 3).empty());
}
