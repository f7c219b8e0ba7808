#include "app/config/documented.hpp"

#include <catch2/catch.hpp>

#include "app/config/toml.hpp"

using namespace gs;
using namespace gs::app;

namespace {

void read_all(Settings root) {
    const Settings tcp = root.section("gateway.tcp");
    static_cast<void>(tcp.integer("port", 7000, {0, 65535}, "", "The port of the TCP listener."));
    static_cast<void>(tcp.integer("frame_bytes_max", 65536, {64, 1048576}, "bytes", "The largest frame."));
    static_cast<void>(root.text("name", "", "The name of the node."));
    static_cast<void>(root.choice("log.level", "info", {"info", "debug"}, "What is logged."));
    static_cast<void>(root.number("log.share", 0.5, {0, 1}, "", "The share."));
    static_cast<void>(root.flag("log.colour", true, "Colours on a terminal."));
    static_cast<void>(root.texts("gateway.routes", {"a\n", "b"}, "The routes."));
    static_cast<void>(root.tables("node", "The nodes of a static cluster.", [](Settings row) {
        return row.text("name", "", "The name.") + row.text("link.address", "", "The address.");
    }));
}

const char* const expected =
    R"(# Every key, with its meaning, range, unit and default. Remove the # before a key to change it.

# The name of the node.
# Text; default "".
# name = ""

[gateway]

# The routes.
# A list of texts; default ["a\n", "b"].
# routes = ["a\n", "b"]

[gateway.tcp]

# The port of the TCP listener.
# A whole number, 0 to 65535; default 7000.
# port = 7000

# The largest frame.
# A whole number, 64 to 1048576 bytes; default 65536.
# frame_bytes_max = 65536

[log]

# What is logged.
# One of "info", "debug"; default "info".
# level = "info"

# The share.
# A number, 0 to 1; default 0.5.
# share = 0.5

# Colours on a terminal.
# True or false; default true.
# colour = true

# The nodes of a static cluster.
# Any number of sections.
# [[node]]

# The name.
# Text; default "".
# name = ""

# [node.link]

# The address.
# Text; default "".
# address = ""
)";

std::string live(std::string_view text) {
    std::string all;
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (line.starts_with("# ") && (line.find(" = ") != std::string_view::npos || line.starts_with("# [")))
            line.remove_prefix(2);
        all += std::string{line} + "\n";
    }
    return all;
}

}  // namespace

TEST_CASE("documented config prints every key and reads back as it is", "[config][CFG-01]") {
    SettingsTree tree;
    read_all(tree.root());
    const std::string printed = documented_config(tree.declared());
    CHECK(printed == expected);
    CHECK(compare_documented(printed, tree.declared()).empty());

    for (const std::string& text : {printed, live(printed)}) {
        INFO(text);
        Result<SettingsTree> parsed = parse_toml(text, "printed");
        REQUIRE(parsed);
        read_all(parsed->root());
        CHECK(parsed->problems().empty());
    }
    CHECK(parse_toml(live(printed), "printed")->values().contains("node[0].link.address"));
}

TEST_CASE("documented config is compared with the keys of the program", "[config][CFG-01]") {
    SettingsTree tree;
    read_all(tree.root());
    CHECK(compare_documented("# Prose where x = y is no key.\n"
                             "name = \"example\"\n"
                             "[gateway]\n"
                             "# routes = [\"a\"]\n"
                             "old = 1\n"
                             "[gateway.tcp]   # a comment\n"
                             "# port = 7001\n"
                             "frame_bytes_max = 1024\n"
                             "[log]\n"
                             "#level = \"info\" # the default\n"
                             "# share = 0.5\n"
                             "#[[node]]\n"
                             "#name = \"game-1\"\n",
                             tree.declared()) ==
          std::vector<std::string>{"line 4: gateway.routes is shown as [\"a\"]; its default is [\"a\\n\", \"b\"]",
                                   "line 5: gateway.old is not a key of the program",
                                   "line 7: gateway.tcp.port is shown as 7001; its default is 7000",
                                   "log.colour is missing", "node[].link.address is missing"});
}
