#include "base/settings.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace gs;

namespace {

const Origin here{"etc/gameserver.toml", 12, 8};

SettingValue written(decltype(SettingValue::value) value) {
    return {std::move(value), {"etc/gameserver.toml", 12, 1}, here};
}

struct Gateway {
    std::int64_t port;
    double share;
    bool open;
    std::string host;
    std::string security;
    std::vector<std::string> routes;
    std::string key_file;
};

Gateway read_gateway(Settings settings) {
    return {settings.integer("tcp.port", 7000, {0, 65535}, "", "The port."),
            settings.number("share", 0.5, {0, 1}, "of memory", "The share."),
            settings.flag("open", true, "Whether it is open."),
            settings.text("host", "127.0.0.1", "The address."),
            settings.choice("security", "noise", {"noise", "tls"}, "The security."),
            settings.texts("routes", {"a", "b"}, "The routes."),
            settings.secret_file("key_file", "", "The key.")};
}

std::vector<std::string> problems_with(const std::string& path, SettingValue value) {
    SettingsTree tree;
    tree.set(path, std::move(value));
    static_cast<void>(read_gateway(tree.root().section("gateway")));
    return tree.problems();
}

}  // namespace

TEST_CASE("settings without a value give the fallback and no problem", "[config][CFG-01]") {
    SettingsTree tree;
    const Gateway gateway = read_gateway(tree.root().section("gateway"));
    CHECK(gateway.port == 7000);
    CHECK(gateway.share == 0.5);
    CHECK(gateway.open);
    CHECK(gateway.host == "127.0.0.1");
    CHECK(gateway.security == "noise");
    CHECK(gateway.routes == std::vector<std::string>{"a", "b"});
    CHECK(gateway.key_file.empty());
    CHECK(tree.finish());
}

TEST_CASE("settings give what was written", "[config][CFG-01]") {
    SettingsTree tree;
    tree.set("gateway.tcp.port", written(std::int64_t{65535}));
    tree.set("gateway.share", written(std::int64_t{1}));
    tree.set("gateway.open", written(false));
    tree.set("gateway.host", written(std::string{"::1"}));
    tree.set("gateway.security", written(std::string{"tls"}));
    tree.set("gateway.routes", written(SettingList{std::string{"x"}}));
    tree.set("gateway.key_file", written(std::string{"/run/key"}));
    const Gateway gateway = read_gateway(tree.root().section("gateway"));
    CHECK(gateway.port == 65535);
    CHECK(gateway.share == 1.0);
    CHECK_FALSE(gateway.open);
    CHECK(gateway.host == "::1");
    CHECK(gateway.security == "tls");
    CHECK(gateway.routes == std::vector<std::string>{"x"});
    CHECK(gateway.key_file == "/run/key");
    CHECK(tree.finish());
}

TEST_CASE("settings say what is wrong with a value", "[config][CFG-01]") {
    struct Case {
        std::string path;
        SettingValue value;
        std::string message;
    };
    const std::string long_text(1000000, 'z');
    const std::vector<Case> cases{
        {"gateway.tcp.port", written(std::int64_t{70000}), "gateway.tcp.port is 70000; it must be 0 to 65535"},
        {"gateway.tcp.port", written(std::int64_t{-1}), "gateway.tcp.port is -1; it must be 0 to 65535"},
        {"gateway.tcp.port", written(std::numeric_limits<std::int64_t>::max()),
         "gateway.tcp.port is 9223372036854775807; it must be 0 to 65535"},
        {"gateway.tcp.port", written(std::string{"x"}),
         "gateway.tcp.port is \"x\"; it must be a whole number, 0 to 65535"},
        {"gateway.tcp.port", written(7.0), "gateway.tcp.port is 7.0; it must be a whole number, 0 to 65535"},
        {"gateway.tcp.port", written(SettingSection{}),
         "gateway.tcp.port is a section; it must be a whole number, 0 to 65535"},
        {"gateway.share", written(std::nan("")), "gateway.share is nan; it must be 0 to 1 of memory"},
        {"gateway.share", written(std::numeric_limits<double>::infinity()),
         "gateway.share is inf; it must be 0 to 1 of memory"},
        {"gateway.share", written(true), "gateway.share is true; it must be a number, 0 to 1 of memory"},
        {"gateway.open", written(std::int64_t{1}), "gateway.open is 1; it must be true or false"},
        {"gateway.host", written(std::int64_t{1}),
         "gateway.host is 1; it must be text in quotes, of at most 4096 bytes"},
        {"gateway.host", written(long_text),
         "gateway.host is \"" + std::string(60, 'z') +
             "\"... (1000000 bytes); it must be text in quotes, of at most 4096 bytes"},
        {"gateway.security", written(std::string{"nois"}),
         "gateway.security is \"nois\"; it must be one of \"noise\", \"tls\""},
        {"gateway.routes", written(SettingList{std::int64_t{1}}),
         "gateway.routes is a list; it must be a list of texts, like [\"a\", \"b\"]"},
        {"gateway.key_file", written(std::int64_t{12345}),
         "gateway.key_file is not usable; it must be the path of a file, in quotes (what was written is not shown: it "
         "may be "
         "secret)"},
    };
    for (const Case& wrong : cases) {
        INFO(wrong.path);
        CHECK(problems_with(wrong.path, wrong.value) ==
              std::vector<std::string>{"etc/gameserver.toml:12:8: " + wrong.message});
    }
}

TEST_CASE("settings name unknown keys and the nearest known one", "[config][CFG-01]") {
    struct Case {
        std::string path;
        SettingValue value;
        std::string message;
    };
    const std::vector<Case> cases{
        {"gateway.tcp.prot", written(true), "gateway.tcp.prot is not a known key; did you mean gateway.tcp.port?"},
        {"gatway.tcp.port", written(true), "gatway.tcp.port is not a known key; did you mean gateway.tcp.port?"},
        {"gateway.port", written(true), "gateway.port is not a known key; did you mean gateway.tcp.port?"},
        {"gateway.frobnicate_all", written(true),
         "gateway.frobnicate_all is not a known key; gateway has tcp, share, open, host, security, routes, key_file"},
        {"zzz", written(true), "zzz is not a known key; the top level has gateway"},
        {"gatewy", written(SettingSection{}), "gatewy is not a known section; the top level has gateway"},
        {"gateway", written(std::int64_t{5}),
         "gateway is 5; it must be a section: gateway has tcp, share, open, host, security, routes, key_file"},
        {"gateway.tcp", written(SettingRows{1}),
         "gateway.tcp is a list of sections; it must be a section: gateway.tcp has port"},
    };
    for (const Case& wrong : cases) {
        INFO(wrong.path);
        CHECK(problems_with(wrong.path, wrong.value) ==
              std::vector<std::string>{"etc/gameserver.toml:12:1: " + wrong.message});
    }
}

TEST_CASE("settings report every mistake at once in the order of the source", "[config][CFG-01]") {
    SettingsTree tree;
    tree.set("gateway.share", {true, {"f", 3, 1}, {"f", 3, 9}});
    tree.set("gateway.tcp.port", {std::int64_t{70000}, {"f", 2, 1}, {"f", 2, 8}});
    tree.set("other", {true, {"f", 1, 1}, {"f", 1, 9}});
    const Gateway gateway = read_gateway(tree.root().section("gateway"));
    static_cast<void>(read_gateway(tree.root().section("gateway")));
    CHECK(gateway.port == 7000);
    const Result<void> finished = tree.finish();
    REQUIRE_FALSE(finished);
    CHECK(finished.error().code() == Code::invalid);
    CHECK(finished.error().message() ==
          "f:1:1: other is not a known key; the top level has gateway\n"
          "f:2:8: gateway.tcp.port is 70000; it must be 0 to 65535\n"
          "f:3:9: gateway.share is true; it must be a number, 0 to 1 of memory");
}

TEST_CASE("settings rows are read one by one and declared even when there are none", "[config][CFG-01]") {
    const auto read_node = [](Settings row) { return row.text("name", "unnamed", "The name."); };
    SettingsTree empty;
    CHECK(empty.root().tables("node", "The nodes.", read_node).empty());
    CHECK(empty.declared().find("node[].name") != nullptr);
    CHECK(empty.finish());

    SettingsTree tree;
    tree.set("node", written(SettingRows{2}));
    tree.set("node[0]", written(SettingSection{}));
    tree.set("node[0].name", written(std::string{"a"}));
    tree.set("node[1]", written(SettingSection{}));
    tree.set("node[1].nam", written(std::string{"b"}));
    tree.set("node[7].name", written(std::string{"c"}));
    CHECK(tree.root().tables("node", "The nodes.", read_node) == std::vector<std::string>{"a", "unnamed"});
    CHECK(tree.problems() == std::vector<std::string>{
                                 "etc/gameserver.toml:12:1: node[1].nam is not a known key; did you mean node[].name?",
                                 "etc/gameserver.toml:12:1: node[7].name names a row that does not exist; node has 2"});

    SettingsTree single;
    single.set("node", written(SettingSection{}));
    single.set("node.name", written(std::string{"a"}));
    CHECK(single.root().tables("node", "The nodes.", read_node).empty());
    CHECK(single.problems() ==
          std::vector<std::string>{
              "etc/gameserver.toml:12:8: node is a section; it must be a list of sections, each begun with [[node]]"});
}

TEST_CASE("settings overlay replaces values and whole lists of sections", "[config][CFG-01]") {
    SettingsTree lower;
    lower.set("a.x", written(std::int64_t{1}));
    lower.set("a.y", written(std::int64_t{2}));
    lower.set("node", written(SettingRows{2}));
    lower.set("node[1].name", written(std::string{"old"}));
    SettingsTree upper;
    upper.set("a", written(SettingSection{}));
    upper.set("a.x", written(std::int64_t{3}));
    upper.set("node", written(SettingRows{1}));
    lower.overlay(upper);
    CHECK(std::get<std::int64_t>(lower.values().at("a.x").value) == 3);
    CHECK(std::get<std::int64_t>(lower.values().at("a.y").value) == 2);
    CHECK(std::get<SettingRows>(lower.values().at("node").value).count == 1);
    CHECK_FALSE(lower.values().contains("node[1].name"));
}

TEST_CASE("settings refuse one key read in two ways and take a reader's own objection", "[config][CFG-01]") {
    SettingsTree tree;
    tree.set("a.x", written(std::int64_t{1}));
    const Settings settings = tree.root().section("a");
    CHECK(settings.integer("x", 0, {0, 9}, "ms", "The x.") == 1);
    CHECK(settings.integer("x", 5, {0, 9}, "ms", "The x.") == 1);
    settings.reject("x", "must not equal a.y");
    settings.reject("y", "is missing");
    CHECK(tree.problems() ==
          std::vector<std::string>{"a.x is read twice in the program, with a different type, default, range or meaning",
                                   "a.y is missing", "etc/gameserver.toml:12:8: a.x must not equal a.y"});
}

TEST_CASE("settings stop listing unknown keys at a hundred", "[config][CFG-01]") {
    SettingsTree tree;
    for (int index = 0; index < 150; ++index) tree.set("k" + std::to_string(index), written(true));
    const std::vector<std::string> problems = tree.problems();
    CHECK(problems.size() == 101);
    CHECK(problems.back() == "50 further settings were not looked at");
}
