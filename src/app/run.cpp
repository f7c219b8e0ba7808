#include "app/run.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "api/registry.hpp"
#include "app/admin.hpp"
#include "app/catalog.hpp"
#include "app/config/documented.hpp"
#include "app/node.hpp"
#include "app/schema.hpp"
#include "base/crypto/certificate.hpp"
#include "base/crypto/cluster_key.hpp"
#include "base/crypto/crypto.hpp"
#include "base/crypto/signing.hpp"
#include "runtime/cpu_meter.hpp"
#include "runtime/epoll_loop.hpp"
#include "runtime/memory_meter.hpp"
#include "runtime/signals.hpp"
#include "transport/tcp/tcp_transport.hpp"

namespace gs::app {

namespace {

int complain(const Error& error) {
    std::cerr << fmt::format("gameserver: {}\n", error.message());  // in one piece, as logs are written meanwhile
    return error.code() == Code::invalid ? exit_wrong_use : exit_failed;
}

/// A player is a file: take as many as the system lets us have.
void raise_file_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

std::string role_list(const NodeSettings& node) {
    std::string list;
    for (const auto role : node.roles) list += fmt::format("{}{}", list.empty() ? "" : ", ", role);
    return list;
}

/// A process of real loops around a node.
class Process {
public:
    Process(const RunOptions& options, CheckedConfig config)
        : version_{options.version}, config_{std::move(config)}, pool_{{config_.node.pool_threads, 256}} {
        const auto cores = std::max(1U, std::thread::hardware_concurrency());
        auto count = config_.node.loops == 0 ? cores : config_.node.loops;
        count = std::max<std::size_t>(1, std::min(count, config_.node.roles.size()));
        NodeWorld world;
        for (std::size_t index = 0; index < count; ++index) {
            loops_.push_back(std::make_unique<runtime::EpollLoop>(fmt::format("loop-{}", index), random_u64()));
            world.loops.push_back(loops_.back().get());
        }
        world.transport = transport_.get();
        world.pool = &pool_;
        world.incarnation = random_u64() >> 1U;
        world.memory = [meter = runtime::MemoryMeter{config_.node.memory_bytes_max}] { return meter.use(); };
        world.cpu = [meter = std::make_shared<runtime::CpuMeter>(count)] { return meter->percent(); };
        node_ =
            std::make_unique<Node>(config_.node, *config_.tree, std::move(world), compiled_roles(), compiled_modules());
        admin_ = std::make_unique<Admin>(*node_, *loops_.front());
    }

    ~Process() {
        admin_->stop();
        node_.reset();
    }

    int run() {
        const auto admin = admin_->start(config_.node.admin_address);
        if (!admin) return complain(admin.error());
        const runtime::Signals signals{*loops_.front(), [this](int) { stop_asked(); }};
        node_->start([this](const Error& error) { fail(error); });
        loops_.front()->post([this] { wait_ready(); });
        std::vector<std::thread> threads;
        for (std::size_t index = 1; index < loops_.size(); ++index) {
            threads.emplace_back([this, index] { loops_[index]->run(); });
        }
        loops_.front()->run();
        for (std::size_t index = 1; index < loops_.size(); ++index) loops_[index]->stop();
        for (auto& thread : threads) thread.join();
        return exit_code_;
    }

private:
    void wait_ready() {
        if (!node_->is_ready()) {
            if (++waited_ == 300) log::warn("still waiting: {}", node_->not_ready_because());
            loops_.front()->after(std::chrono::milliseconds{10}, [this] { wait_ready(); });
            return;
        }
        if (config_.node.development && config_.node.roles.size() == role_count) {
            print_banner();
        } else {
            log::info("node {} is ready ({})", config_.node.name, role_list(config_.node));
        }
    }

    [[nodiscard]] std::string play_line() const {
        const auto setting = config_.tree->values().find("login.http.play");
        const auto* play =
            setting == config_.tree->values().end() ? nullptr : std::get_if<bool>(&setting->second.value);
        if (play != nullptr && !*play) return {};
        return fmt::format("  try it in a browser {}/play\n", node_->endpoint(Role::login));
    }

    void print_banner() const {
        std::string text = fmt::format(
            "\n"
            "  gameserver {} is ready, in development mode; keys and data are in\n"
            "  {}\n"
            "\n"
            "  players log in at   {}/v1/guest\n"
            "  and then connect to {}\n"
            "  health and metrics  http://{}/readyz  /healthz  /metrics\n"
            "\n"
            "{}"
            "  try it with bots, in another terminal:\n"
            "    gameserver bots --count 50 --scenario chat --seconds 10",
            version_, std::filesystem::absolute(config_.node.data_directory).string(), node_->endpoint(Role::login),
            node_->endpoint(Role::gateway), admin_->address(), play_line());
        if (node_->endpoint(Role::login) != "http://127.0.0.1:7080")
            text += fmt::format(" \\\n      --login {}", node_->endpoint(Role::login));
        std::cerr << text << "\n  stop with Ctrl-C; write a module: docs/tutorial.md\n\n";
    }

    void fail(const Error& error) {
        exit_code_ = complain(error);
        loops_.front()->stop();
    }

    void stop_asked() {
        if (stopping_) {
            log::warn("stopped at once, as asked a second time");
            log::stop();
            std::_Exit(exit_failed);
        }
        stopping_ = true;
        log::info("stopping: no new players, then saving (again to stop at once)");
        loops_.front()->after(config_.node.shutdown, [this] {
            log::error("stopping took longer than {} s (server.shutdown_seconds); what is not saved by now is lost",
                       config_.node.shutdown.count());
            exit_code_ = exit_failed;
            loops_.front()->stop();
        });
        node_->stop([this] {
            log::info("stopped");
            loops_.front()->stop();
        });
    }

    std::string version_;
    CheckedConfig config_;
    std::vector<std::unique_ptr<runtime::EpollLoop>> loops_;
    runtime::BlockingPool pool_;
    std::unique_ptr<transport::Transport> transport_ = transport::make_tcp_transport();
    std::unique_ptr<Node> node_;
    std::unique_ptr<Admin> admin_;
    bool stopping_ = false;
    int exit_code_ = exit_stopped;
    int waited_ = 0;
};

}  // namespace

std::vector<std::string> nodes_to_check(const RunOptions& options) {
    std::vector<std::string> names;
    auto tree = load_config(options.sources);
    if (options.overrides.node.empty() && tree) {
        names = tree->root().tables("node", "", [](const Settings& row) { return row.text("name", "", ""); });
    }
    if (names.empty()) names.push_back(options.overrides.node);
    return names;
}

Result<CheckedConfig> load_checked(const RunOptions& options) {
    auto loaded = load_config(options.sources);
    if (!loaded) return loaded.error();
    CheckedConfig config;
    config.tree = std::make_unique<SettingsTree>(std::move(*loaded));
    auto node = read_node_settings(*config.tree, options.overrides);
    // Without a node to ask, the lenient limits: its own mistake is told below.
    const bool development = !node || node->development;
    const auto declared = declare_all(*config.tree, development, compiled_roles(), compiled_modules());
    if (!declared) return declared.error();
    for (const std::string key : {"admin.address", "gateway.tcp.address", "login.http.address"}) {
        const auto place = config.tree->values().find(key);
        if (place == config.tree->values().end()) continue;
        const auto& [value, key_at, value_at, typed] = place->second;
        const auto* text = std::get_if<std::string>(&value);
        const auto address = typed.value_or(text == nullptr ? "" : *text);
        // Those of a [[node]] row are told with the row.
        if (address.empty() || value_at.source.starts_with("[[node]]")) continue;
        const auto parts = transport::parse_host_port(address);
        if (!parts) config.tree->add_problem(value_at, fmt::format("{}: {}", key, parts.error().message()));
    }
    const auto checked = config.tree->finish();
    if (!checked) return checked.error();
    if (!node) return node.error();
    config.node = std::move(*node);
    return config;
}

Result<void> create_keys(const std::filesystem::path& directory) {
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    if (failed) {
        return Error{Code::invalid, "the directory {} cannot be made: {}; give another with --data-dir",
                     directory.string(), failed.message()};
    }
    for (const std::string name : {"token", "zone"}) {
        const auto secret = directory / (name + ".key");
        const auto open = directory / (name + ".pub");
        if (std::filesystem::exists(open, failed) && !std::filesystem::exists(secret, failed)) {
            return Error{
                Code::conflict,
                "{} is there without {}: it belongs to keys that were made elsewhere, and is not replaced; give "
                "another directory",
                open.string(), secret.filename().string()};
        }
        const auto key = load_or_create_private_key(secret);
        if (!key) return key.error();
        auto saved = save_public_key(directory / (name + ".pub"), key->public_key());
        if (!saved) return saved;
    }
    const auto cluster_key = load_or_create_cluster_key(directory / "cluster.key");
    if (!cluster_key) return cluster_key.error();
    return {};
}

int run_node(const RunOptions& options) {
    raise_file_limit();
    std::signal(SIGPIPE, SIG_IGN);  // a reader of our log that goes away is not our end
    const auto crypto = crypto_init();
    if (!crypto) return complain(crypto.error());
    auto config = load_checked(options);
    if (!config) {
        std::cerr << "gameserver: the configuration is wrong\n" << config.error().message() << "\n";
        return exit_wrong_use;
    }
    if (config->node.roles.empty()) {
        return complain(
            {Code::invalid, "no roles to run: say --roles=all, or some of gateway,login,center,game,storage"});
    }
    if (config->node.development) {
        const auto keys = create_keys(config->node.data_directory);
        if (!keys) return complain({Code::invalid, "{}", keys.error().message()});
    }
    try {
        log::start(config->node.log);
        int code = exit_failed;
        {
            Process process{options, std::move(*config)};
            code = process.run();
        }
        log::stop();
        return code;
    } catch (const Error& error) {
        log::stop();
        return complain(error);
    }
}

int check_config(const RunOptions& options, bool print_defaults) {
    auto checked = options;
    for (const auto& node : nodes_to_check(options)) {
        checked.overrides.node = node;
        const auto config = load_checked(checked);
        if (!config) {
            std::cerr << config.error().message() << "\n";
            return exit_wrong_use;
        }
        if (!print_defaults) {
            const auto whole = require_whole_cluster(config->node);
            if (whole) continue;
            std::cerr << whole.error().message() << "\n";
            return exit_wrong_use;
        }
        std::cout << documented_config(config->tree->declared());
        return exit_stopped;
    }
    std::cout << "the configuration is fine\n";
    return exit_stopped;
}

int make_keys(const std::filesystem::path& directory) {
    const auto crypto = crypto_init();
    if (!crypto) return complain(crypto.error());
    const auto made = create_keys(directory);
    if (!made) return complain(made.error());
    std::cout << "keys are in " << directory.string()
              << ":\n  token.key  secret, for login only: signs tokens\n  token.pub  for every gateway\n"
                 "  zone.key   secret, for `gameserver certify` only: keep it off the servers\n"
                 "  zone.pub   for login, which tells clients to trust it, and for every node of a cluster\n"
                 "  cluster.key  secret, for every node of a cluster: encrypts the links between them\n";
    return exit_stopped;
}

int certify(const CertifyOptions& options) {
    const auto crypto = crypto_init();
    if (!crypto) return complain(crypto.error());
    const bool is_node = options.kind == "node";
    if (is_node && options.roles.empty())
        return complain({Code::invalid, "say which roles the node may have: --roles game, or all"});
    if (options.name.find('/') != std::string::npos)
        return complain({Code::invalid, "the name of a node has no /, as files have it in theirs"});
    auto roles = options.roles;
    if (is_node) {
        const auto known = parse_roles(roles);
        if (!known) return complain(known.error());
        roles.clear();
        for (const auto role : *known) roles.emplace_back(to_string(role));
    }
    const auto root = load_private_key(options.zone_key);
    if (!root) return complain({Code::invalid, "{}", root.error().message()});
    const auto file = is_node ? key_name_of_node(options.name) : options.kind;
    const auto key_file = options.directory / (file + ".key");
    const auto certificate_file = options.directory / (file + ".cert");
    std::error_code failed;
    std::filesystem::create_directories(options.directory, failed);  // what follows says when that did not help
    const auto key = load_or_create_exchange_key(key_file);
    if (!key) return complain({Code::invalid, "{}", key.error().message()});
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    Certificate certificate;
    certificate.kind = is_node ? CertificateKind::node : CertificateKind::gateway;
    certificate.name = options.name;
    certificate.roles = roles;
    certificate.zone = options.zone;
    certificate.static_key = {key->public_key().begin(), key->public_key().end()};
    // The clock of a client may be a little behind this one.
    certificate.not_before = (now - std::chrono::hours{1}).time_since_epoch().count();
    certificate.not_after = (now + std::chrono::days{options.days}).time_since_epoch().count();
    certificate.serial = random_u64();
    const auto saved = save_certificate(certificate_file, sign_certificate(*root, certificate));
    if (!saved) return complain({Code::invalid, "{}", saved.error().message()});
    std::cout << fmt::format("{} of zone {} is certified for {} days:\n  {}  secret, for that node only\n  {}\n",
                             options.name, options.zone, options.days, key_file.string(), certificate_file.string());
    return exit_stopped;
}

int print_schema(const std::string& format) {
    const auto schema = format == "json" ? schema_json(compiled_modules()) : schema_typescript(compiled_modules());
    if (!schema) return complain(schema.error());
    std::cout << *schema;
    return exit_stopped;
}

}  // namespace gs::app
