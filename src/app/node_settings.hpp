#pragma once
// The settings of a node itself and of its cluster; roles and modules read their own.
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/settings.hpp"

namespace gs::app {

/// One [[node]] of a cluster file.
struct NodeRow {
    std::string name;
    std::set<Role> roles;
    std::string link, admin, clients, http;
};

/// How links are encrypted. Files are inside the data directory unless absolute.
struct LinkSettings {
    bool encrypted = false;
    std::string zone;
    std::vector<std::string> root_files;
    std::string cluster_key_file, key_file, certificate_file;
};

struct NodeSettings {
    std::string name;
    std::set<Role> roles;
    bool development = false;
    std::filesystem::path data_directory;
    std::string admin_address;
    std::chrono::seconds shutdown{};
    std::size_t loops = 0;  ///< 0: as many as cores, at most one for each role
    std::size_t pool_threads = 0;
    std::uint64_t memory_bytes_max = 0;        ///< 0: no limit of its own
    std::uint32_t memory_alarm_percent = 100;  ///< 100: no alarm
    bool serialise_local = false;
    log::Options log;
    std::string cluster, link_address;
    std::chrono::milliseconds link_timeout{};
    bool log_calls = false;
    std::vector<NodeRow> rows;
    LinkSettings links;
};

/// The name of a node's files without what follows the dot; the nodes of one host share a directory.
[[nodiscard]] std::string key_name_of_node(const std::string& node);

/// What the command line says beside --set.
struct NodeOverrides {
    std::vector<std::string> roles;  ///< empty: as configured; "all"
    std::string node;
    std::string data_directory;
    bool development = false;
};

/// Reads and declares. Of a cluster file, the row of this node also sets gateway.tcp.address, login.http.address and
/// admin.address in `tree`. Errors: invalid (unknown role or node, no roles at all).
[[nodiscard]] Result<NodeSettings> read_node_settings(SettingsTree& tree, const NodeOverrides& overrides);
/// Errors: invalid: the rows of a cluster file lack a role. Each of its processes would start, and nobody could play.
[[nodiscard]] Result<void> require_whole_cluster(const NodeSettings& node);

[[nodiscard]] Result<std::set<Role>> parse_roles(const std::vector<std::string>& names);

}  // namespace gs::app
