#include "app/command_line.hpp"

#include <unistd.h>

#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>

#include "api/registry.hpp"
#include "app/moderate.hpp"
#include "app/operate.hpp"
#include "app/run.hpp"
#include "app/up.hpp"
#include "client/bots/bots.hpp"

namespace gs::app {

namespace {

struct Flags {
    std::string config, node, data_directory;
    std::vector<std::string> roles, sets;
    bool development = false, print_defaults = false, list = false;
    std::string key_directory = ".", schema_format = "json";
    CertifyOptions certify;
    double seconds = 20;
    bots::BotOptions bots;
    AdminOptions admin;
    ModerationOptions order;
    LogCallsOptions log_calls;
    std::int64_t admin_patience = 60;
};

void add_config_flags(CLI::App& app, Flags& flags) {
    app.add_option("--config", flags.config, "the config file (TOML); without one: development mode");
    app.add_option("--node", flags.node, "which [[node]] of a cluster file this process is");
    app.add_option("--roles", flags.roles, "all, or some of gateway,login,center,game,storage")->delimiter(',');
    app.add_option("--data-dir", flags.data_directory, "where keys and the database are");
    app.add_option("--set", flags.sets, "key=value, above file and environment; repeat it for more");
    app.add_flag("--dev", flags.development, "development mode: keys made as needed, easier limits");
}

RunOptions run_options(const Flags& flags, const std::string& version) {
    RunOptions options;
    if (!flags.config.empty()) options.sources.file = flags.config;
    options.sources.environment = environment_of(environ);
    options.sources.sets = flags.sets;
    options.overrides = {flags.roles, flags.node, flags.data_directory, flags.development || flags.config.empty()};
    options.version = version;
    return options;
}

void add_cluster_flags(CLI::App& app, Flags& flags) {
    app.add_option("--config", flags.config, "the cluster file, which says where the node's admin endpoint is");
    app.add_option("--at", flags.admin.at, "or the admin endpoint of any node of the cluster: host:port");
}

void add_admin_flags(CLI::App& app, Flags& flags) {
    app.add_option("node", flags.admin.node, "the name of the node")->required();
    add_cluster_flags(app, flags);
}

void add_log_calls_flags(CLI::App& app, LogCallsOptions& options) {
    app.add_option("--player", options.player, "the player's number");
    app.add_option("--module", options.module, "or those to a module");
    app.add_flag("--all", options.all, "or all");
    app.add_option("--for", options.duration, "how long: 90s, 30m, 12h; at most a day")->capture_default_str();
    app.add_flag("--off", options.off, "end it; without a name, whatever was asked for");
}

void add_certify_flags(CLI::App& app, CertifyOptions& options) {
    app.add_option("kind", options.kind, "gateway: for its clients; node: for links between nodes")
        ->required()
        ->check(CLI::IsMember({"gateway", "node"}));
    app.add_option("--name", options.name, "of the node")->required();
    app.add_option("--roles", options.roles,
                   "what it may be: some of gateway,login,center,game,storage, or all; of a node only")
        ->delimiter(',');
    app.add_option("--zone", options.zone, "as token.zone says")->capture_default_str();
    app.add_option("--days", options.days, "how long it is good")->check(CLI::Range(1, 36'500))->capture_default_str();
    app.add_option("--zone-key", options.zone_key, "the secret key of the zone's root (gameserver keygen)")
        ->capture_default_str();
    app.add_option("--out", options.directory,
                   "the directory for gateway.key and gateway.cert, or node-NAME.key and node-NAME.cert")
        ->capture_default_str();
}

void print_list() {
    std::cout << "roles:   ";
    for (const auto* role : compiled_roles()) std::cout << ' ' << to_string(role->role);
    std::cout << "\nmodules: ";
    for (const auto* module : compiled_modules()) std::cout << ' ' << module->name;
    std::cout << "\n";
}

void add_bot_flags(CLI::App& app, Flags& flags) {
    auto& bots = flags.bots;
    std::string scenarios = "one of";
    for (const auto& [name, meaning] : bots::scenario_list()) scenarios += fmt::format("\n  {}: {}", name, meaning);
    app.add_option("--count", bots.count, "how many bots")->check(CLI::Range(1, 10'000'000))->capture_default_str();
    app.add_option("--scenario", bots.scenario, scenarios)->capture_default_str();
    app.add_option("--seconds", flags.seconds, "how long they play")
        ->check(CLI::Range(0.0, 1e6))
        ->capture_default_str();
    app.add_option("--login", bots.login, "the address of the login role")->capture_default_str();
    app.add_option("--login-ca", bots.login_ca,
                   "PEM file: the certificate of an https login must be of this authority, or be this one")
        ->check(CLI::ExistingFile);
    app.add_option("--client-version", bots.client_version, "what they say their version is, such as 1.4")
        ->capture_default_str();
    app.add_option("--rate", bots.rate, "actions per second of each bot; 0: as fast as answers come")
        ->capture_default_str();
    app.add_option("--ramp", bots.ramp, "bots started per second")->capture_default_str();
    app.add_option("--seed", bots.seed, "of all that bots choose at random")->capture_default_str();
    app.add_option("--json", bots.json_file, "write the report as JSON to this file; -: standard output");
    app.add_option("--ledger", bots.ledger_file, "write what the server confirmed to this file");
    app.add_flag("--survive", bots.survive, "lost connections are not errors: bots come back and go on");
}

}  // namespace

int run_command_line(int argument_count, char** arguments, const std::string& version) {
    Flags flags;
    CLI::App app{"gameserver: a distributed game server in one executable", "gameserver"};
    app.footer("A newcomer starts with:  gameserver --roles=all");
    app.set_version_flag("--version", [&] {
        std::string text = "gameserver " + version + "\nmodules:";
        for (const auto* module : compiled_modules()) text += " " + std::string{module->name};
        return text + "\nengines: sqlite memory\ntransports: tcp";
    });
    app.add_flag("--list", flags.list, "the roles and modules that are compiled in");
    add_config_flags(app, flags);
    app.require_subcommand(0, 1);

    auto* run = app.add_subcommand("run", "run a node (the default)");
    add_config_flags(*run, flags);
    auto* check =
        app.add_subcommand("check-config", "say what is wrong with a configuration, without starting anything");
    add_config_flags(*check, flags);
    check->add_flag("--print-defaults", flags.print_defaults,
                    "print every key with its meaning, unit, range and default");
    auto* keygen = app.add_subcommand("keygen", "make the keys of tokens, of the zone's root and of the cluster");
    keygen->add_option("--out", flags.key_directory, "the directory to write them to")->capture_default_str();
    auto* schema = app.add_subcommand("schema", "print what the modules say to clients and hear from them");
    schema->add_option("--format", flags.schema_format, "json, or typescript for the JavaScript client kit")
        ->check(CLI::IsMember({"json", "typescript"}))
        ->capture_default_str();
    auto* certify_command = app.add_subcommand("certify", "sign a certificate with the zone's root, to encrypt with");
    add_certify_flags(*certify_command, flags.certify);
    auto* up = app.add_subcommand("up", "run every node of a cluster file on this host");
    up->add_option("file", flags.config, "the cluster file")->required();
    up->add_option("--data-dir", flags.data_directory, "where keys and the database are");
    up->add_option("--set", flags.sets, "key=value for every node; repeat it for more");
    up->add_flag("--dev", flags.development, "development mode");
    auto* bot = app.add_subcommand("bots", "play many clients against a server, check what they receive, and report");
    add_bot_flags(*bot, flags);
    auto* admin = app.add_subcommand("admin", "tell a running cluster what to do");
    admin->require_subcommand(1);
    auto* drain = admin->add_subcommand("drain", "move all players of a game node to the others while they play on");
    add_admin_flags(*drain, flags);
    drain->add_option("--seconds", flags.admin_patience, "how long to wait until it is empty")
        ->check(CLI::Range(1, 86'400))
        ->capture_default_str();
    auto& order = flags.order;
    auto* kick = admin->add_subcommand("kick", "end a player's session");
    kick->add_option("player", order.whom, "the player's number")->required();
    auto* ban_them = admin->add_subcommand("ban", "send somebody away and let them in no more");
    ban_them->add_option("whom", order.whom, "a player's number, address:192.0.2.1 or device:NAME")->required();
    ban_them->add_option("--for", order.duration, "how long: 90s, 30m, 12h, 7d; without it for ever");
    auto* unban_them = admin->add_subcommand("unban", "lift a ban");
    unban_them->add_option("whom", order.whom, "as it was banned")->required();
    auto* bans = admin->add_subcommand("bans", "list who is banned, until when and why");
    auto* log_them = admin->add_subcommand("log-calls", "log the requests of some players, for a while");
    add_log_calls_flags(*log_them, flags.log_calls);
    for (auto* one : {kick, ban_them}) one->add_option("--reason", order.reason, "what the player is told");
    for (auto* one : {kick, ban_them, unban_them, bans, log_them}) add_cluster_flags(*one, flags);
    auto* undrain = admin->add_subcommand("undrain", "let a drained game node take players again");
    add_admin_flags(*undrain, flags);

    try {
        app.parse(argument_count, arguments);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? exit_stopped : exit_wrong_use;
    }
    if (flags.list) {
        print_list();
        return exit_stopped;
    }
    if (bot->parsed()) {
        flags.bots.time = std::chrono::milliseconds{static_cast<std::int64_t>(flags.seconds * 1000)};
        return bots::run_bots(flags.bots);
    }
    if (keygen->parsed()) return make_keys(flags.key_directory);
    if (schema->parsed()) return print_schema(flags.schema_format);
    if (certify_command->parsed()) {
        if (flags.certify.kind == "gateway") flags.certify.roles = {"gateway"};
        return certify(flags.certify);
    }
    const auto options = run_options(flags, version);
    if (check->parsed()) return check_config(options, flags.print_defaults);
    if (up->parsed()) {
        std::vector<std::string> forwarded;
        for (const auto& set : flags.sets) forwarded.insert(forwarded.end(), {"--set", set});
        if (!flags.data_directory.empty()) forwarded.insert(forwarded.end(), {"--data-dir", flags.data_directory});
        if (flags.development) forwarded.emplace_back("--dev");
        return run_cluster(options, forwarded);
    }
    if (kick->parsed()) return kick_player(options, flags.admin, order);
    if (ban_them->parsed()) return ban(options, flags.admin, order);
    if (unban_them->parsed()) return unban(options, flags.admin, order);
    if (log_them->parsed()) return log_calls(options, flags.admin, flags.log_calls);
    if (bans->parsed()) return list_bans(options, flags.admin);
    if (admin->parsed()) {
        flags.admin.patience = std::chrono::seconds{flags.admin_patience};
        return drain_node(options, flags.admin, drain->parsed());
    }
    return run_node(options);
}

}  // namespace gs::app
