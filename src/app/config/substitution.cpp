#include "app/config/substitution.hpp"

#include <algorithm>

#include "base/escape.hpp"
#include "base/settings.hpp"
#include "base/utf8.hpp"

namespace gs::app {

namespace {

constexpr std::size_t substituted_bytes_max = 64 * 1024;

bool is_name(std::string_view name) {
    const auto is_letter = [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
    };
    const auto may_follow = [&](char letter) { return is_letter(letter) || (letter >= '0' && letter <= '9'); };
    return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), may_follow);
}

/// `inner` is what stands between the braces.
Result<std::string> value_of(std::string_view inner, const std::map<std::string, std::string>& variables) {
    const auto split = inner.find(":-");
    const std::string name{inner.substr(0, split)};
    if (!is_name(name)) {
        return Error{Code::invalid,
                     "uses a variable named {}; a name has letters, digits and _ only. Write $${{ for a plain ${{",
                     quoted(utf8_prefix(name, 40))};
    }
    const auto variable = variables.find(name);
    const bool is_set = variable != variables.end();
    if (split != std::string_view::npos && (!is_set || variable->second.empty()))
        return std::string{inner.substr(split + 2)};
    if (!is_set) {
        return Error{Code::invalid,
                     "uses ${{{}}}, which is not set in the environment; set it, or write ${{{}:-default}}", name,
                     name};
    }
    if (!is_utf8(variable->second)) return Error{Code::invalid, "uses ${{{}}}, which is not UTF-8", name};
    return variable->second;
}

}  // namespace

Result<std::string> substitute(std::string_view text, const std::map<std::string, std::string>& variables) {
    std::string result;
    for (;;) {
        const auto open = text.find("${");
        result += text.substr(0, open);
        if (open == std::string_view::npos) return result;
        const bool is_escaped = open > 0 && text[open - 1] == '$';
        text.remove_prefix(open + 2);
        if (is_escaped) {
            result += '{';
            continue;
        }
        const auto close = text.find('}');
        if (close == std::string_view::npos) {
            return Error{Code::invalid, "has ${{ without }}; close it, or write $${{ for a plain ${{"};
        }
        Result<std::string> value = value_of(text.substr(0, close), variables);
        if (!value) return value;
        result += *value;
        text.remove_prefix(close + 1);
        if (result.size() > substituted_bytes_max) {
            return Error{Code::invalid, "is longer than {} bytes after its variables are filled in",
                         substituted_bytes_max};
        }
    }
}

}  // namespace gs::app
