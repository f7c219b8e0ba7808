#include "app/config/nesting.hpp"

#include <algorithm>

namespace gs::app {

namespace {

/// The position after the string that begins at `at`; the end of the text when it is not closed.
std::size_t after_string(std::string_view text, std::size_t at) {
    const char quote = text[at];
    const bool is_long = text.substr(at, 3) == std::string_view{quote == '"' ? R"(""")" : "'''"};
    std::size_t next = at + (is_long ? 3 : 1);
    for (; next < text.size(); ++next) {
        if (text[next] == '\\' && quote == '"') {
            ++next;
        } else if (!is_long && (text[next] == quote || text[next] == '\n')) {
            return next + 1;
        } else if (is_long && text[next] == quote) {
            const std::size_t run = std::min(text.find_first_not_of(quote, next), text.size()) - next;
            // Up to two quotes may stand before the three that close.
            if (run >= 3) return next + std::min<std::size_t>(run, 5);
            next += run - 1;
        }
    }
    return text.size();
}

}  // namespace

std::optional<std::size_t> find_too_deep(std::string_view text, std::size_t nesting_max) {
    std::size_t brackets = 0;
    std::size_t dots = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const char letter = text[at];
        if (letter == '"' || letter == '\'') {
            at = after_string(text, at);
            continue;
        }
        if (letter == '#') {
            at = std::min(text.find('\n', at), text.size());
            continue;
        }
        if (letter == '[' || letter == '{') ++brackets;
        if ((letter == ']' || letter == '}') && brackets > 0) --brackets;
        if (letter == '.') ++dots;
        if (letter == '\n' || letter == '=' || letter == ',' || letter == '[' || letter == '{') dots = 0;
        if (brackets > nesting_max || dots >= nesting_max) return at;
        ++at;
    }
    return std::nullopt;
}

}  // namespace gs::app
