#pragma once
// `gameserver run`, `check-config`, `keygen`, `certify` and `schema`: from sources of configuration to a node that runs
// until it is told to
// stop.
#include <filesystem>
#include <string>

#include "app/config/config.hpp"
#include "app/node_settings.hpp"

namespace gs::app {

struct RunOptions {
    ConfigSources sources;
    NodeOverrides overrides;
    std::string version;
};

/// The exit codes of the process.
inline constexpr int exit_stopped = 0, exit_failed = 1, exit_wrong_use = 2;

[[nodiscard]] int run_node(const RunOptions& options);
/// Prints what is wrong, or that nothing is; with `print_defaults` every key with its meaning instead.
[[nodiscard]] int check_config(const RunOptions& options, bool print_defaults);
/// Writes the key pairs token.key, token.pub and zone.key, zone.pub, and cluster.key; existing ones stay.
[[nodiscard]] int make_keys(const std::filesystem::path& directory);

/// Prints what clients may say to the modules: as "json" or "typescript".
[[nodiscard]] int print_schema(const std::string& format);
/// `gameserver certify`.
struct CertifyOptions {
    std::string kind, name, zone = "default";
    std::vector<std::string> roles;
    std::int64_t days = 365;
    std::filesystem::path zone_key = "zone.key", directory = ".";
};
/// Writes a certificate and the static key that it is for, which stays when it exists.
[[nodiscard]] int certify(const CertifyOptions& options);

/// Loads and checks everything; the tree is checked to hold no unknown or wrong key.
struct CheckedConfig {
    std::unique_ptr<SettingsTree> tree;
    NodeSettings node;
};
[[nodiscard]] Result<CheckedConfig> load_checked(const RunOptions& options);
/// The chosen node; without one every [[node]] of the config file, or one empty name when it has none.
[[nodiscard]] std::vector<std::string> nodes_to_check(const RunOptions& options);
[[nodiscard]] Result<void> create_keys(const std::filesystem::path& directory);

}  // namespace gs::app
