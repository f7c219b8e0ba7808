#pragma once
// Loads the configuration: file < conf.d < environment < --set, above the defaults that readers name in code.
// Errors: Code::invalid when a file cannot be read or is not TOML. Mistakes in single values wait in the tree for
// finish().
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/settings.hpp"

namespace gs::app {

using Environment = std::map<std::string, std::string>;

/// `variables` ends with a null pointer, as environ does.
[[nodiscard]] Environment environment_of(const char* const* variables);

struct ConfigSources {
    /// With a file, conf.d/*.toml beside it is read too, in the order of the names.
    std::optional<std::filesystem::path> file;
    /// GAMESERVER_GATEWAY__TCP__PORT=7001 sets gateway.tcp.port. Texts in files may say ${NAME} or ${NAME:-default} for
    /// any variable; the default serves when NAME is unset or empty, and $${ stands for a plain ${.
    Environment environment;
    /// "gateway.tcp.port=7001"; a later one wins. The value is TOML if it can be, else text as it is.
    std::vector<std::string> sets;
};

[[nodiscard]] Result<SettingsTree> load_config(const ConfigSources& sources);

}  // namespace gs::app
