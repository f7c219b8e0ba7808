#pragma once
// TOML text to settings. The only file that knows the TOML library is toml.cpp.
// Errors: Code::invalid with "name:line:column: sentence", the line itself and a mark below the column. Any bytes are
// safe input. Source: TOML 1.0. Dates, lists in lists and keys outside a-z A-Z 0-9 _ - are refused: no setting needs
// them.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/settings.hpp"

namespace gs::app {

inline constexpr std::size_t config_bytes_max = 1024 * 1024;
inline constexpr std::size_t config_nesting_max = 16;

/// `name` stands for the text in messages: usually the file's name.
[[nodiscard]] Result<SettingsTree> parse_toml(std::string_view text, std::string name);

}  // namespace gs::app
