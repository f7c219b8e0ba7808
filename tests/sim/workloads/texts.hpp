#pragma once
// Texts of bots are "player/number"; the number rises for each player.
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "base/ids.hpp"

namespace gs::sim {

[[nodiscard]] inline std::string make_text(PlayerId player, std::uint64_t number) {
    return fmt::format("{}/{}", player, number);
}

[[nodiscard]] inline std::uint64_t number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto slash = text.find('/');
    if (slash != std::string_view::npos) std::from_chars(text.data() + slash + 1, text.data() + text.size(), number);
    return number;
}

/// What the text begins with.
[[nodiscard]] inline std::uint64_t owner_in(std::string_view text) {
    std::uint64_t owner = 0;
    std::from_chars(text.data(), text.data() + text.size(), owner);
    return owner;
}

}  // namespace gs::sim
