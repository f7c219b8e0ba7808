#include "app/node_settings.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/ranges.h>

#include "api/secure.hpp"
#include "transport/transport.hpp"

namespace gs::app {

namespace {

std::set<Role> read_roles(const Settings& section, const char* what) {
    const auto known = parse_roles(section.texts("roles", {}, what));
    if (known) return *known;
    section.reject("roles", "cannot be used: " + known.error().message());
    return {};
}

NodeRow read_row(const Settings& row) {
    NodeRow node;
    node.name = row.text("name", "", "of this node; unique in the cluster");
    node.roles = read_roles(row, "what it runs: gateway, login, center, game, storage");
    node.link = row.text("link", "", "host:port where it accepts links of other nodes");
    node.admin = row.text("admin", "", "host:port of its metrics and health; sets admin.address");
    node.clients = row.text("clients", "", "host:port for players, of a gateway; sets gateway.tcp.address");
    node.http = row.text("http", "", "host:port for logins, of a login; sets login.http.address");
    return node;
}

void set_text(SettingsTree& tree, const std::string& path, const std::string& value, const std::string& node) {
    if (value.empty()) return;
    SettingValue setting;
    setting.value = value;
    setting.key_at = setting.value_at = Origin{fmt::format("[[node]] {}", node), 0, 0};
    tree.set(path, std::move(setting));
}

/// A host:port that others find in the file; `fixed`: they must know the port, so the system cannot choose one.
std::optional<Error> bad_address(const NodeRow& row, std::string_view key, const std::string& address, bool fixed) {
    if (address.empty()) return {};
    const auto parts = transport::parse_host_port(address);
    if (!parts) return Error{Code::invalid, "node \"{}\": {}: {}", row.name, key, parts.error().message()};
    if (fixed && parts->port == 0) {
        return Error{Code::invalid, "node \"{}\": {}: \"{}\" has no port; other nodes must know it", row.name, key,
                     address};
    }
    return {};
}

/// Mistakes that no process of the cluster would come up with.
std::optional<Error> bad_rows(const NodeSettings& node) {
    std::set<std::string> names;
    std::map<std::string, std::string> taken;  // by address: whose it is
    std::string storage;
    for (const auto& row : node.rows) {
        if (row.name.empty()) return Error{Code::invalid, "every [[node]] needs a name; one has none"};
        if (row.name.find('/') != std::string::npos)
            return Error{Code::invalid, "node \"{}\": a name has no /, as files have it in theirs", row.name};
        if (!names.insert(row.name).second) {
            return Error{Code::invalid, "every [[node]] needs a name of its own; \"{}\" is there twice", row.name};
        }
        if (row.roles.empty()) {
            return Error{Code::invalid,
                         "node \"{}\" has no roles; name some of gateway, login, center, game, storage, or all",
                         row.name};
        }
        if (node.rows.size() > 1 && row.link.empty()) {
            return Error{Code::invalid, "node \"{}\" needs a link address, for example link = \"127.0.0.1:7101\"",
                         row.name};
        }
        const std::pair<const char*, std::string> addresses[] = {
            {"link", row.link}, {"admin", row.admin}, {"clients", row.clients}, {"http", row.http}};
        for (const auto& [key, address] : addresses) {
            if (auto bad = bad_address(row, key, address, std::string_view{key} == "link")) return bad;
            if (address.empty() || address.ends_with(":0")) continue;
            // The same address on another host is another one.
            const auto host = row.link.substr(0, row.link.rfind(':'));
            const auto [place, is_free] =
                taken.emplace(host + " " + address, fmt::format("{} of node \"{}\"", key, row.name));
            if (!is_free) {
                return Error{Code::invalid, "{} of node \"{}\" is {}, and so is {}; give one of them another port",
                             key,           row.name,
                             address,       place->second};
            }
        }
        if (!row.roles.contains(Role::storage)) continue;
        if (!storage.empty()) {
            return Error{Code::invalid,
                         "nodes \"{}\" and \"{}\" both have the role storage; the engines of this version keep a "
                         "database for one node alone",
                         storage, row.name};
        }
        storage = row.name;
    }
    return {};
}

}  // namespace

namespace {

/// Login too must know whether gateways encrypt, and that depends on where they listen.
std::string clients_address(const std::vector<NodeRow>& rows, const NodeRow& own) {
    if (own.roles.contains(Role::gateway)) return own.clients;
    std::string found;
    for (const auto& row : rows) {
        if (!row.roles.contains(Role::gateway) || row.clients.empty()) continue;
        if (found.empty() || transport::is_loopback(found)) found = row.clients;
    }
    return found;
}

LinkSettings read_links(const Settings& root, const NodeSettings& node) {
    const bool loopback = std::all_of(node.rows.begin(), node.rows.end(), [](const NodeRow& row) {
        return row.link.empty() || transport::is_loopback(row.link);
    });
    const auto section = root.section("links");
    LinkSettings links;
    const auto security = section.choice(
        "security", node.development && loopback ? "none" : "noise", {"noise", "none"},
        "noise encrypts the links between nodes; none is for loopback addresses and development mode; when it is not "
        "set: noise, and in development mode none when every link is a loopback address. The same on all nodes");
    if (security == "none" && !node.development && !loopback) {
        section.reject("security",
                       "must be \"noise\" outside of development mode, unless the link of every [[node]] is a loopback "
                       "address");
    }
    links.cluster_key_file =
        section.secret_file("cluster_key_file", "cluster.key",
                            "the key that all nodes of the cluster have (gameserver keygen), inside the data directory "
                            "unless absolute");
    links.key_file = section.secret_file("key_file", "",
                                         "the node's static key, inside the data directory unless absolute; empty: "
                                         "node-NAME.key");
    links.certificate_file = section.text(
        "certificate_file", "",
        "the certificate for it (gameserver certify node), inside the data directory unless absolute; read "
        "again when it changes; empty: node-NAME.cert");
    links.root_files = read_root_files(root);
    links.zone = root.section("token").text("zone", "default", "tokens of another zone are refused");
    // A node without links needs no keys for them.
    links.encrypted = security == "noise" && !node.link_address.empty();
    if (links.key_file.empty()) links.key_file = key_name_of_node(node.name) + ".key";
    if (links.certificate_file.empty()) links.certificate_file = key_name_of_node(node.name) + ".cert";
    return links;
}

}  // namespace

std::string key_name_of_node(const std::string& node) { return "node-" + node; }

Result<void> require_whole_cluster(const NodeSettings& node) {
    if (node.rows.empty()) return {};
    for (std::size_t index = 0; index < role_count; ++index) {
        const auto role = static_cast<Role>(index);
        const bool has_it = std::any_of(node.rows.begin(), node.rows.end(),
                                        [&](const NodeRow& row) { return row.roles.contains(role); });
        if (!has_it) return Error{Code::invalid, "no [[node]] has the role {}; a cluster needs each role once", role};
    }
    return {};
}

Result<std::set<Role>> parse_roles(const std::vector<std::string>& names) {
    std::set<Role> roles;
    for (const auto& name : names) {
        bool known = name == "all";
        for (std::size_t index = 0; index < role_count; ++index) {
            const auto role = static_cast<Role>(index);
            if (name != "all" && name != to_string(role)) continue;
            roles.insert(role);
            known = true;
        }
        if (!known)
            return Error{Code::invalid, "\"{}\" is not a role; roles are gateway, login, center, game, storage, or all",
                         name};
    }
    return roles;
}

Result<NodeSettings> read_node_settings(SettingsTree& tree, const NodeOverrides& overrides) {
    const auto root = tree.root();
    NodeSettings node;
    node.rows =
        root.tables("node", "the nodes of the cluster; none: one node with every role it is told to run", read_row);

    const auto own = root.section("server");
    node.development =
        overrides.development ||
        own.flag("development", false,
                 "keys made as needed, easier limits, any address without encryption; never in production");
    node.data_directory = own.text("data_directory", "gameserver-data", "where keys and the SQLite database are");
    if (!overrides.data_directory.empty()) node.data_directory = overrides.data_directory;
    node.shutdown = std::chrono::seconds{own.integer("shutdown_seconds", 30, {1, 3600}, "seconds",
                                                     "how long saving may take when the node is told to stop")};
    node.roles = read_roles(own, "what a node without a [[node]] row runs; --roles wins");

    // Told at the end, as keys that nobody has read by then would be called unknown.
    std::optional<Error> mistake;
    node.name = overrides.node.empty() ? "node-1" : overrides.node;
    const auto row = std::find_if(node.rows.begin(), node.rows.end(),
                                  [&](const NodeRow& candidate) { return candidate.name == overrides.node; });
    if (!node.rows.empty() && row == node.rows.end()) {
        std::vector<std::string> names;
        for (const auto& known : node.rows) names.push_back(known.name);
        mistake = Error{Code::invalid, "this config describes a cluster: choose a node with --node NAME ({})",
                        fmt::join(names, ", ")};
    }
    if (row != node.rows.end()) {
        if (!node.roles.empty()) {
            mistake = Error{Code::invalid,
                            "server.roles does not go with a cluster file: others find what node \"{}\" runs in its "
                            "[[node]] row",
                            row->name};
        }
        node.roles = row->roles;
        node.link_address = row->link;
        set_text(tree, "admin.address", row->admin, row->name);
        set_text(tree, "gateway.tcp.address", clients_address(node.rows, *row), row->name);
        set_text(tree, "login.http.address", row->http, row->name);
    }
    if (!overrides.roles.empty() && row != node.rows.end()) {
        mistake =
            Error{Code::invalid,
                  "--roles does not go with a cluster file: others find what node \"{}\" runs in its [[node]] row",
                  row->name};
    } else if (!overrides.roles.empty()) {
        auto parsed = parse_roles(overrides.roles);
        if (parsed) {
            node.roles = std::move(*parsed);
        } else if (!mistake) {
            mistake = parsed.error();
        }
    }

    const auto runtime = root.section("runtime");
    node.loops =
        static_cast<std::size_t>(runtime.integer("loops", 0, {0, 256}, "threads", "event loops; 0: as many as cores"));
    node.pool_threads = static_cast<std::size_t>(
        runtime.integer("pool_threads", 2, {1, 256}, "threads", "for work that blocks, such as password hashes"));
    node.memory_bytes_max =
        1024 * 1024 *
        static_cast<std::uint64_t>(runtime.integer("memory_mib_max", 0, {0, 16 * 1024 * 1024}, "MiB",
                                                   "memory that this process may use, where no control group says it; "
                                                   "nothing is cut off at it, but memory_percent "
                                                   "settings count from there; 0: as much as there is"));
    node.memory_alarm_percent = static_cast<std::uint32_t>(
        runtime.integer("memory_alarm_percent", node.development ? 100 : 80, {50, 100}, "percent",
                        "a warning when so much memory is used: of the machine, of a control group of this process, or "
                        "of memory_mib_max; 100: none; outside of development mode 80 unless it is given"));
    node.serialise_local =
        runtime.flag("serialise_local", false, "encode messages between roles of one process too, as tests do");
    node.admin_address =
        root.section("admin").text("address", "127.0.0.1:7090", "metrics and health over HTTP; empty: none");

    const auto log = root.section("log");
    node.log.level = log::parse_level(log.choice("level", "info", {"debug", "info", "warn", "error", "off"},
                                                 "the least that is written"))
                         .value();
    node.log.format = log.choice("format", "text", {"text", "json"}, "for people, or for machines") == "json"
                          ? log::Format::json
                          : log::Format::text;
    node.log.file = log.text("file", "", "empty: standard error");
    node.log.node = node.name;

    const auto cluster = root.section("cluster");
    node.cluster = cluster.text("name", "default", "nodes of another cluster are refused");
    node.log_calls = cluster.flag("log_calls", false,
                                  "one log line for each call between roles: what, to whom, outcome, time taken");
    node.link_timeout = std::chrono::milliseconds{cluster.integer(
        "link_timeout_ms", 5000, {100, 600'000}, "milliseconds", "a node that is silent for so long counts as lost")};
    node.links = read_links(root, node);
    if (mistake) return *mistake;
    if (auto bad = bad_rows(node)) return *bad;
    return node;
}

}  // namespace gs::app
