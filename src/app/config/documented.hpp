#pragma once
// The documented configuration: printed from what the program declares, and compared with the file that we ship.
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.hpp"

namespace gs::app {

/// A complete TOML file in which every key is a comment: meaning, unit, range, `# key = default`.
[[nodiscard]] std::string documented_config(const Declared& declared);

/// What a documented file gets wrong, a sentence each: keys that are missing, unknown, or shown with another default.
/// A key may be live or a comment of the form `# key = value`, below its `[section]`, `[[rows]]` or `# [[rows]]`.
/// Rows, and keys whose default is empty, may show an example instead of the default.
[[nodiscard]] std::vector<std::string> compare_documented(std::string_view text, const Declared& declared);

}  // namespace gs::app
