#pragma once
// Finds TOML that is nested too deeply, before a parser that recurses sees it.
#include <cstddef>
#include <optional>
#include <string_view>

namespace gs::app {

/// The byte where brackets, or the parts of one dotted key, first go deeper than `nesting_max`.
/// Exact for valid TOML. In other text it is right up to the first syntax error, where the parser stops as well.
[[nodiscard]] std::optional<std::size_t> find_too_deep(std::string_view text, std::size_t nesting_max);

}  // namespace gs::app
