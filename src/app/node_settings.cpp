#include "app/node_settings.hpp"

#include <algorithm>
#include <optional>

#include <fmt/ranges.h>

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

}  // namespace

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
        node.roles = row->roles;
        node.link_address = row->link;
        set_text(tree, "admin.address", row->admin, row->name);
        set_text(tree, "gateway.tcp.address", row->clients, row->name);
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
    if (mistake) return *mistake;
    std::set<std::string> names;
    std::string storage;
    for (const auto& known : node.rows) {
        if (known.name.empty() || !names.insert(known.name).second) {
            return Error{Code::invalid, "every [[node]] needs a name of its own; \"{}\" is empty or there twice",
                         known.name};
        }
        if (node.rows.size() > 1 && known.link.empty()) {
            return Error{Code::invalid, "node \"{}\" needs a link address, for example link = \"127.0.0.1:7101\"",
                         known.name};
        }
        if (!known.link.empty() && !node.development && !transport::is_loopback(known.link)) {
            return Error{Code::invalid,
                         "links have no encryption yet: outside of development mode the link of node \"{}\" must be a "
                         "loopback address",
                         known.name};
        }
        if (!known.roles.contains(Role::storage)) continue;
        if (!storage.empty()) {
            return Error{Code::invalid,
                         "nodes \"{}\" and \"{}\" both have the role storage; the engines of this version keep a "
                         "database for one node alone",
                         storage, known.name};
        }
        storage = known.name;
    }
    return node;
}

}  // namespace gs::app
