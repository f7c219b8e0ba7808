#include "app/config/toml.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "app/config/nesting.hpp"
#include "base/escape.hpp"
#include "base/utf8.hpp"

namespace gs::app {

namespace {

constexpr std::size_t key_bytes_max = 64;
constexpr std::size_t line_bytes_max = 120;

Origin origin_of(const std::string& name, const toml::source_position& at) { return {name, at.line, at.column}; }

/// The sentence, then the line with a mark under the column, where the line can be shown.
Error syntax_error(std::string_view text, const Origin& where, std::string_view why) {
    std::string message = fmt::format("{}:{}:{}: {}", where.source, where.line, where.column, why);
    for (std::size_t line = 1; line < where.line; ++line) {
        const auto end = text.find('\n');
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    text = text.substr(0, std::min(text.find('\n'), text.size()));
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    const bool is_plain =
        std::all_of(text.begin(), text.end(), [](char letter) { return letter >= ' ' && letter <= '~'; });
    if (is_plain && !text.empty() && text.size() <= line_bytes_max && where.column >= 1) {
        message += fmt::format("\n    {}\n    {:>{}}", text, '^', std::min(where.column, text.size() + 1));
    }
    return Error::verbatim(Code::invalid, std::move(message));
}

/// Line and column of a byte; columns count characters, as the parser does.
Origin origin_of_byte(std::string_view text, std::size_t byte, std::string name) {
    const std::string_view before = text.substr(0, byte);
    const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    const std::string_view start = before.substr(before.rfind('\n') + 1);
    const auto column = std::count_if(start.begin(), start.end(),
                                      [](char letter) { return (static_cast<std::uint8_t>(letter) & 0xc0U) != 0x80; });
    return {std::move(name), line, static_cast<std::size_t>(column) + 1};
}

bool is_plain_key(std::string_view key) {
    const auto is_plain = [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= '0' && letter <= '9') || letter == '_' || letter == '-';
    };
    return !key.empty() && key.size() <= key_bytes_max && std::all_of(key.begin(), key.end(), is_plain);
}

/// Walks the parsed tables into paths. Recursion is bounded by the nesting check.
class Walk {
public:
    Walk(SettingsTree& tree, std::string name) : tree_{tree}, name_{std::move(name)} {}

    void table(const std::string& path, const toml::table& table) {
        for (const auto& [key, node] : table) {
            const Origin key_at = origin_of(name_, key.source().begin);
            if (!is_plain_key(key.str())) {
                refuse(key_at, fmt::format("{}a key may only have 1 to {} of the characters a-z A-Z 0-9 _ -",
                                           path.empty() ? path : "in " + path + ": ", key_bytes_max));
                continue;
            }
            const std::string below = path.empty() ? std::string{key.str()} : fmt::format("{}.{}", path, key.str());
            this->node(below, node, key_at);
        }
    }

private:
    void node(const std::string& path, const toml::node& node, const Origin& key_at) {
        const Origin value_at = origin_of(name_, node.source().begin);
        if (const toml::table* inner = node.as_table()) {
            tree_.set(path, {SettingSection{}, key_at, value_at});
            table(path, *inner);
        } else if (const toml::array* array = node.as_array()) {
            list(path, *array, key_at, value_at);
        } else if (std::optional<SettingScalar> scalar = this->scalar(path, node)) {
            std::visit([&](auto& plain) { tree_.set(path, {std::move(plain), key_at, value_at}); }, *scalar);
        } else {
            tree_.set(path, {SettingUnusable{}, key_at, value_at});
        }
    }

    void list(const std::string& path, const toml::array& array, const Origin& key_at, const Origin& value_at) {
        if (!array.empty() && array.is_homogeneous<toml::table>()) {
            tree_.set(path, {SettingRows{array.size()}, key_at, value_at});
            for (std::size_t index = 0; index < array.size(); ++index) {
                node(fmt::format("{}[{}]", path, index), array[index], origin_of(name_, array[index].source().begin));
            }
            return;
        }
        SettingList scalars;
        for (const toml::node& item : array) {
            std::optional<SettingScalar> scalar = this->scalar(path, item);
            if (!scalar) {
                tree_.set(path, {SettingUnusable{}, key_at, value_at});
                return;
            }
            scalars.push_back(*std::move(scalar));
        }
        tree_.set(path, {std::move(scalars), key_at, value_at});
    }

    std::optional<SettingScalar> scalar(const std::string& path, const toml::node& node) {
        const Origin value_at = origin_of(name_, node.source().begin);
        if (const auto* flag = node.as_boolean()) return SettingScalar{flag->get()};
        if (const auto* integer = node.as_integer()) return SettingScalar{integer->get()};
        if (const auto* number = node.as_floating_point()) return SettingScalar{number->get()};
        if (const auto* text = node.as_string()) {
            if (text->get().find('\0') == std::string::npos) return SettingScalar{text->get()};
            refuse(value_at, fmt::format("{} has a NUL character in its text; leave it out", path));
        } else if (node.is_table() || node.is_array()) {
            refuse(value_at,
                   fmt::format("{} holds a list or a section inside a list; write plain values only, or [[{}]] "
                               "sections only",
                               path, path));
        } else {
            refuse(value_at, fmt::format("{} is a date or a time, which no setting is; write text in quotes", path));
        }
        return std::nullopt;
    }

    void refuse(const Origin& where, std::string why) { tree_.add_problem(where, std::move(why)); }

    SettingsTree& tree_;
    std::string name_;
};

}  // namespace

Result<SettingsTree> parse_toml(std::string_view text, std::string name) {
    if (text.size() > config_bytes_max) {
        return Error{Code::invalid, "{}: the configuration is larger than {} bytes", name, config_bytes_max};
    }
    if (!is_utf8(text)) return Error{Code::invalid, "{}: the text is not UTF-8; save the file as UTF-8", name};
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    if (const std::optional<std::size_t> at = find_too_deep(text, config_nesting_max)) {
        return syntax_error(
            text, origin_of_byte(text, *at, name),
            fmt::format("sections, lists and dotted keys may be nested {} deep at most", config_nesting_max));
    }
    SettingsTree tree;
    try {
        const toml::table parsed = toml::parse(text, std::string_view{name});
        Walk{tree, name}.table({}, parsed);
    } catch (const toml::parse_error& error) {
        std::string why;
        append_printable(why, error.description());  // it repeats bytes of the text as they are
        constexpr std::string_view prefix = "Error while parsing ";
        if (why.starts_with(prefix)) why.replace(0, prefix.size(), "error in ");
        return syntax_error(text, origin_of(name, error.source().begin), why);
    }
    return tree;
}

}  // namespace gs::app
