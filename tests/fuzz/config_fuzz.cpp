// Configuration as a person, a script or an attacker may write it: read as a file, as --set and as text with ${NAME}.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "app/config/config.hpp"
#include "app/config/substitution.hpp"
#include "app/config/toml.hpp"
#include "tests/fuzz/require.hpp"

using namespace gs;
using fuzz::require;

namespace {

void read_row(const Settings& row) {
    const auto text = row.text("name", "none", "a name");
    require(text.size() <= 4096, "a text keeps to its bound");
}

/// Every kind of reader; whatever stands there, the program gets values it said it can work with.
void read_all(SettingsTree& tree) {
    const auto root = tree.root();
    const auto port = root.integer("gateway.tcp.port", 7000, {0, 65535}, "", "a port");
    require(port >= 0 && port <= 65535, "a whole number is in its range");
    const auto level = root.integer("level", 1, {-5, 5}, "steps", "a level");
    require(level >= -5 && level <= 5, "a whole number is in its range");
    const auto ratio = root.number("ratio", 0.5, {0, 1}, "", "a ratio");
    require(std::isfinite(ratio) && ratio >= 0 && ratio <= 1, "a number is in its range");
    static_cast<void>(root.flag("development", false, "a flag"));
    require(root.text("name", "none", "a text").size() <= 4096, "a text keeps to its bound");
    const auto format = root.section("log").choice("format", "text", {"text", "json"}, "a choice");
    require(format == "text" || format == "json", "a choice is one of those offered");
    for (const auto& text : root.texts("roles", {"all"}, "texts"))
        require(text.size() <= 4096, "a text keeps to its bound");
    static_cast<void>(root.secret_file("key_file", "", "a secret"));
    std::size_t rows = 0;
    const auto count_row = [&rows](const Settings& row) {
        read_row(row);
        ++rows;
        return 0;
    };
    const auto read = root.tables("node", "rows", count_row);
    require(rows == read.size() + 1, "every row is read once, and a blank one");

    const auto problems = tree.problems();
    for (const auto& problem : problems) {
        fuzz::require_printable(problem);
        const auto what = problem.substr(problem.find(": ") == std::string::npos ? 0 : problem.find(": ") + 2);
        const bool is_known = what.starts_with("key_file is not usable;") || what == "key_file is not UTF-8" ||
                              what.starts_with("key_file is a date or a time,");
        require(!what.starts_with("key_file is ") || is_known, "a secret is not shown", problem);
    }
    require(tree.finish().has_value() == problems.empty(), "finish() fails when there is a problem");
}

void check_quoting(const SettingValue& setting) {
    const auto* text = std::get_if<std::string>(&setting.value);
    if (text == nullptr || text->size() > 4096) return;
    const auto again = app::parse_toml("value = " + gs::quoted(*text), "quoted");
    require(again.has_value(), "a quoted text is TOML", *text);
    require(std::get<std::string>(again->values().at("value").value) == *text, "a quoted text reads the same", *text);
}

void check_file(std::string_view text) {
    auto tree = app::parse_toml(text, "f");
    if (!tree) {
        const auto& message = tree.error().message();
        require(message.starts_with("f:"), "an error names the file", message);
        fuzz::require_printable(message, "\n");
        return;
    }
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const auto& [path, setting] : tree->values()) {
        require(!path.empty() && setting.value_at.line >= 1 && setting.value_at.line <= lines, "a value has its line",
                path);
        check_quoting(setting);
    }
    read_all(*tree);
}

/// Each line is a --set, and the value of an environment variable as well.
void check_overrides(std::string_view text) {
    static constexpr std::array<const char*, 4> variables{"GAMESERVER_LEVEL", "GAMESERVER_GATEWAY__TCP__PORT",
                                                          "GAMESERVER_NODE", "GAMESERVER_KEY_FILE"};
    app::ConfigSources sources;
    for (std::size_t count = 0; count < 16 && !text.empty(); ++count) {
        const std::string line{text.substr(0, text.find('\n'))};
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        sources.environment.emplace(variables[count % variables.size()], line);
        sources.sets.push_back(line);
    }
    auto tree = app::load_config(sources);
    require(tree.has_value(), "mistakes in single values do not hide the others");
    read_all(*tree);
}

void check_substitution(std::string_view text) {
    const std::map<std::string, std::string> variables{{"A", "1"}, {"EMPTY", ""}, {"OPEN", "${A}"}};
    const auto filled = app::substitute(text, variables);
    if (!filled) {
        if (is_utf8(text)) fuzz::require_printable(filled.error().message());
        return;
    }
    if (text.find("${") == std::string_view::npos)
        require(*filled == text, "text without variables stays as it is", *filled);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    check_file(text);
    check_overrides(text);
    check_substitution(text);
    return 0;
}
