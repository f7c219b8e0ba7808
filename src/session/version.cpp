#include "session/version.hpp"

#include <charconv>

namespace gs::session {

Result<Version> parse_version(std::string_view text) {
    Version version;
    const auto numbers = text.substr(0, text.find_first_of("-+ "));
    const auto* at = numbers.data();
    const auto* const end = at + numbers.size();
    for (std::size_t index = 0;; ++index) {
        if (index == version.parts.size()) break;
        const auto [next, wrong] = std::from_chars(at, end, version.parts[index]);
        if (wrong != std::errc{}) break;
        if (next == end) return version;
        if (*next != '.') break;
        at = next + 1;
    }
    return Error{Code::invalid, "a version is one to four numbers with dots between them, such as 1.10.3"};
}

}  // namespace gs::session
