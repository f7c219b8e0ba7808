#pragma once
// The version that a client says it has: numbers with dots, at most four, "1.10" after "1.9". What follows a '-', '+' or
// a space is for people. Errors: invalid: it does not begin with a number.
#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace gs::session {

struct Version {
    std::array<std::uint32_t, 4> parts{};  ///< missing ones are 0
    auto operator<=>(const Version&) const = default;
};
[[nodiscard]] Result<Version> parse_version(std::string_view text);

}  // namespace gs::session
