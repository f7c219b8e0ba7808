#include "app/config/documented.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace gs::app {

namespace {

std::string section_of(std::string_view path) {
    const auto dot = path.rfind('.');
    return std::string{dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot)};
}

std::string_view name_of(std::string_view path) {
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

/// node[].tcp is written [node.tcp], below its [[node]].
std::string header_of(std::string_view section) {
    const bool is_rows = section.ends_with("[]");
    std::string name;
    for (const char letter : section) {
        if (letter != '[' && letter != ']') name += letter;
    }
    return is_rows ? fmt::format("[[{}]]", name) : fmt::format("[{}]", name);
}

std::string about(const Declaration& known) {
    std::string line;
    switch (known.type) {
        case Declaration::Type::integer:
            line = "A whole number, " + known.allowed;
            break;
        case Declaration::Type::number:
            line = "A number, " + known.allowed;
            break;
        case Declaration::Type::choice:
            line = known.allowed;
            break;
        case Declaration::Type::flag:
            line = "true or false";
            break;
        case Declaration::Type::text:
            line = "Text";
            break;
        case Declaration::Type::texts:
            line = "A list of texts";
            break;
        case Declaration::Type::secret_file:
            line = "The path of a file that holds a secret";
            break;
        case Declaration::Type::tables:
            return "Any number of sections.";
    }
    if (!known.unit.empty()) line += " " + known.unit;
    if (line[0] >= 'a' && line[0] <= 'z') line[0] = static_cast<char>(line[0] - 'a' + 'A');
    return fmt::format("{}; default {}.", line, known.fallback);
}

using Keys = std::vector<const Declaration*>;

/// Sorted by path: the plain keys of a file must stand before its first section, [[node]] before [node.tcp].
std::map<std::string, Keys> by_section(const Declared& declared) {
    std::map<std::string, Keys> sections;
    for (const Declaration& known : declared.all()) {
        if (known.type == Declaration::Type::tables) {
            Keys& keys = sections[known.path + "[]"];
            keys.insert(keys.begin(), &known);
        } else {
            sections[section_of(known.path)].push_back(&known);
        }
    }
    return sections;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool is_key(std::string_view text) {
    const auto is_plain = [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_' || letter == '.';
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), is_plain);
}

/// [a.b] or [[a.b]] gives a.b
std::optional<std::string_view> read_header(std::string_view line) {
    if (!line.starts_with('[')) return std::nullopt;
    line = trimmed(line.substr(0, line.find('#')));
    const std::size_t brackets = line.starts_with("[[") ? 2 : 1;
    if (line.size() < 2 * brackets || !line.ends_with(brackets == 2 ? "]]" : "]")) return std::nullopt;
    line = trimmed(line.substr(brackets, line.size() - 2 * brackets));
    return is_key(line) ? std::optional{line} : std::nullopt;
}

struct Line {
    std::string_view key;
    std::string_view value;
};

/// key = value, where the value begins as TOML values do; prose with an equals sign rarely passes for one.
std::optional<Line> read_line(std::string_view line) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const Line read{trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1))};
    const bool is_value =
        !read.value.empty() && (std::string_view{"0123456789+-\"'[{"}.find(read.value[0]) != std::string_view::npos ||
                                read.value.starts_with("true") || read.value.starts_with("false"));
    return is_key(read.key) && is_value ? std::optional{read} : std::nullopt;
}

/// [node.tcp] means node[].tcp when node is a list of sections.
std::string pattern_of_header(std::string_view header, const Declared& declared) {
    std::string pattern;
    while (!header.empty()) {
        const auto dot = std::min(header.find('.'), header.size());
        if (!pattern.empty()) pattern += '.';
        pattern += header.substr(0, dot);
        const Declaration* known = declared.find(pattern);
        if (known != nullptr && known->type == Declaration::Type::tables) pattern += "[]";
        header.remove_prefix(std::min(dot + 1, header.size()));
    }
    return pattern;
}

/// A comment may follow the value; a default never continues on the next line.
bool shows_default(std::string_view value, const std::string& fallback) {
    if (!value.starts_with(fallback)) return false;
    const std::string_view rest = trimmed(value.substr(fallback.size()));
    return rest.empty() || rest.starts_with('#');
}

bool may_show_example(const Declaration& known) {
    return known.path.find("[]") != std::string::npos || known.fallback == "\"\"" || known.fallback == "[]";
}

}  // namespace

std::string documented_config(const Declared& declared) {
    std::string text =
        "# Every key, with its meaning, range, unit and default. Remove the # before a key to change it.\n";
    for (const auto& [section, keys] : by_section(declared)) {
        const bool in_rows = section.find("[]") != std::string::npos;
        if (!section.empty() && !section.ends_with("[]"))
            text += fmt::format("\n{}{}\n", in_rows ? "# " : "", header_of(section));
        for (const Declaration* known : keys) {
            text += fmt::format("\n# {}\n# {}\n", known->meaning, about(*known));
            if (known->type == Declaration::Type::tables) {
                text += fmt::format("# {}\n", header_of(section));
            } else {
                text += fmt::format("# {} = {}\n", name_of(known->path), known->fallback);
            }
        }
    }
    return text;
}

std::vector<std::string> compare_documented(std::string_view text, const Declared& declared) {
    std::vector<std::string> problems;
    std::set<std::string> seen;
    std::string section;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        const bool is_comment = line.starts_with('#');
        if (is_comment) line = trimmed(line.substr(1));
        if (const auto header = read_header(line)) {
            section = pattern_of_header(*header, declared);
            if (section.ends_with("[]")) seen.insert(section.substr(0, section.size() - 2));
            continue;
        }
        const auto setting = read_line(line);
        if (!setting) continue;
        const std::string path =
            section.empty() ? std::string{setting->key} : fmt::format("{}.{}", section, setting->key);
        const Declaration* known = declared.find(path);
        if (known == nullptr) {
            problems.push_back(fmt::format("line {}: {} is not a key of the program", number, path));
        } else if (is_comment && !may_show_example(*known) && !shows_default(setting->value, known->fallback)) {
            problems.push_back(fmt::format("line {}: {} is shown as {}; its default is {}", number, path,
                                           setting->value, known->fallback));
        }
        seen.insert(path);
    }
    for (const Declaration& known : declared.all()) {
        if (!seen.contains(known.path)) problems.push_back(fmt::format("{} is missing", known.path));
    }
    return problems;
}

}  // namespace gs::app
