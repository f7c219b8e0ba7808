#include "app/config/toml.hpp"

#include <catch2/catch.hpp>

#include "app/config/nesting.hpp"

using namespace gs;
using namespace gs::app;

namespace {

std::string repeated(std::string_view part, std::size_t times) {
    std::string all;
    for (std::size_t index = 0; index < times; ++index) all += part;
    return all;
}

}  // namespace

TEST_CASE("toml keeps where each key and value stands", "[config][CFG-01]") {
    const auto tree = parse_toml(
        "# first\r\n[gateway.tcp]\r\nport = 7000\r\n\r\n[[node]]\r\nname = 'a'\r\n[node.tcp]\r\nport = 1\r\n", "f");
    REQUIRE(tree);
    const SettingValue& port = tree->values().at("gateway.tcp.port");
    CHECK(std::get<std::int64_t>(port.value) == 7000);
    CHECK(port.key_at.source == "f");
    CHECK(port.key_at.line == 3);
    CHECK(port.key_at.column == 1);
    CHECK(port.value_at.line == 3);
    CHECK(port.value_at.column == 8);
    CHECK(std::get<SettingRows>(tree->values().at("node").value).count == 1);
    CHECK(std::get<std::string>(tree->values().at("node[0].name").value) == "a");
    CHECK(std::get<std::int64_t>(tree->values().at("node[0].tcp.port").value) == 1);
}

TEST_CASE("toml skips a byte order mark without moving the columns", "[config][CFG-01]") {
    const auto tree = parse_toml("\xef\xbb\xbfport = 70\r\n", "f");
    REQUIRE(tree);
    CHECK(tree->values().at("port").value_at.line == 1);
    CHECK(tree->values().at("port").value_at.column == 8);
}

TEST_CASE("toml takes comments and trailing commas", "[config][CFG-02]") {
    const auto tree = parse_toml("list = [ # why\n  \"a\",\n  \"b\", # last\n]\n", "f");
    REQUIRE(tree);
    CHECK(std::get<SettingList>(tree->values().at("list").value).size() == 2);
}

TEST_CASE("toml says where and why a text is not TOML", "[config][CFG-01]") {
    struct Case {
        std::string text;
        std::string message;
    };
    const std::vector<Case> cases{
        {"\nport = = 5", "f:2:8: error in value: could not determine value type\n    port = = 5\n           ^"},
        {"port 5\r\n", "f:1:6: error in key-value pair: expected '=', saw '5'\n    port 5\n         ^"},
        {"x = \"abc", "f:1:9: error in string: encountered end-of-file\n    x = \"abc\n            ^"},
        {"x = 1e400",
         "f:1:10: error in floating-point: '1e400' could not be interpreted as a value\n    x = 1e400\n             ^"},
        {"x = 9223372036854775808",
         "f:1:24: error in decimal integer: '9223372036854775808' is not representable in 64 bits\n    x = "
         "9223372036854775808\n"
         "                           ^"},
        {"a=1\na=2", "f:2:3: error in key-value pair: cannot redefine existing integer 'a'\n    a=2\n      ^"},
        {"[=1",
         "f:1:2: error in key: expected bare key starting character or string delimiter, saw '='\n    [=1\n     ^"},
        {"x = \"\xff\"", "f: the text is not UTF-8; save the file as UTF-8"},
        {std::string("x = \"a\0b\"", 9),
         "f:1:7: error in string: unescaped control characters other than TAB (U+0009) are explicitly prohibited"},
        {std::string(config_bytes_max + 1, '\n'), "f: the configuration is larger than 1048576 bytes"},
    };
    for (const Case& wrong : cases) {
        INFO(wrong.text.substr(0, 40));
        const auto tree = parse_toml(wrong.text, "f");
        REQUIRE_FALSE(tree);
        CHECK(tree.error().code() == Code::invalid);
        CHECK(tree.error().message() == wrong.message);
    }
}

TEST_CASE("toml refuses values that no setting has", "[config][CFG-01]") {
    struct Case {
        std::string text;
        std::string message;
    };
    const std::vector<Case> cases{
        {"x = 2020-01-01", "f:1:5: x is a date or a time, which no setting is; write text in quotes"},
        {"x = \"a\\u0000b\"", "f:1:5: x has a NUL character in its text; leave it out"},
        {"x = [[1]]",
         "f:1:6: x holds a list or a section inside a list; write plain values only, or [[x]] sections only"},
        {"x = [1, {a = 1}]",
         "f:1:9: x holds a list or a section inside a list; write plain values only, or [[x]] sections only"},
        {"\"a b\" = 1", "f:1:1: a key may only have 1 to 64 of the characters a-z A-Z 0-9 _ -"},
        {"[a]\n\"\" = 1", "f:2:1: in a: a key may only have 1 to 64 of the characters a-z A-Z 0-9 _ -"},
        {repeated("k", 65) + " = 1", "f:1:1: a key may only have 1 to 64 of the characters a-z A-Z 0-9 _ -"},
    };
    for (const Case& wrong : cases) {
        INFO(wrong.text);
        auto tree = parse_toml(wrong.text, "f");
        REQUIRE(tree);
        const Settings root = tree->root();
        CHECK(root.text("x", "fallback", "The x.") == "fallback");
        static_cast<void>(root.text("a.b", "", "The b."));
        CHECK(tree->problems() == std::vector<std::string>{wrong.message});
    }
}

TEST_CASE("toml_nesting is refused before it can exhaust the stack", "[config][CFG-01]") {
    const std::vector<std::string> bombs{repeated("[", 100000),
                                         "x = " + repeated("[", 100000),
                                         "x = " + repeated("{a = ", 100000),
                                         "[a" + repeated(".a", 100000) + "]",
                                         "a" + repeated(".a", 100000) + " = 1",
                                         "\"a\"" + repeated(" . \"a\"", 100000) + " = 1",
                                         "x = {a" + repeated(".a", 100000) + " = 1}",
                                         "x = [\"\"\"a\"\"\"\", " + repeated("[", 100000),
                                         "x = '''''' # ''' [\n" + repeated("y", 10) + " = " + repeated("[", 100000)};
    for (const std::string& bomb : bombs) {
        const auto tree = parse_toml(bomb, "f");
        REQUIRE_FALSE(tree);
        CHECK_THAT(tree.error().message(),
                   Catch::Contains("sections, lists and dotted keys may be nested 16 deep at most"));
    }
    CHECK(parse_toml("x = [[[]]]", "f"));
    CHECK_FALSE(find_too_deep(repeated("[", 16), 16));
    CHECK(find_too_deep(repeated("[", 17), 16) == 16);
}

TEST_CASE("toml_nesting does not count brackets and dots in strings and comments", "[config][CFG-01]") {
    const std::string open = repeated("[.", 100);
    const std::vector<std::string> harmless{"# " + open,
                                            "x = \"" + open + "\\\"" + open + "\"",
                                            "x = '" + open + "\\' # '" + open,
                                            "x = \"\"\"\n" + open + "\"\" \\\"\"\"" + open + "\"\"\"\"\"\n",
                                            "x = '''\n" + open + "'' \"\"\"" + open + "'''''\n",
                                            "x = [" + repeated("1.5, ", 100) + "]"};
    for (const std::string& text : harmless) {
        INFO(text);
        CHECK_FALSE(find_too_deep(text, 16));
        CHECK(parse_toml(text, "f"));
    }
}
