#pragma once
// What every whole cluster in a test needs: keys, settings as a configuration file would give them, metrics by name.
#include <filesystem>
#include <string>

#include "base/crypto/token.hpp"
#include "base/metrics.hpp"
#include "base/settings.hpp"

namespace gs::scenarios {

/// A directory with a pair of keys, made once and removed at the end of the program.
[[nodiscard]] const std::filesystem::path& key_directory();
[[nodiscard]] const SigningKey& token_key();

/// Sets a key as a configuration file would.
void set_setting(SettingsTree& tree, const std::string& path, SettingScalar value);
void set_setting(SettingsTree& tree, const std::string& path, SettingList values);
/// [[path]], so many of them; their keys are path[0].key and so on.
void set_setting_rows(SettingsTree& tree, const std::string& path, std::size_t count);
/// The value of a series in the text of /metrics, for example `x_total{reason="rate"}`; 0 when it is not there.
[[nodiscard]] double read_metric(const Metrics& metrics, const std::string& series);
[[nodiscard]] double read_metric(const std::string& text, const std::string& series);

}  // namespace gs::scenarios
