// Encrypted links with the real executable: a cluster whose keys were made by hand, as docs/operations.md says, and one
// that makes its own.
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <regex>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/processes/cluster.hpp"

using namespace gs::test;

namespace {

const std::vector<std::string> roles{"gateway", "login", "center", "game", "storage"};

/// Five nodes with one role each, a data directory of their own each, and no development mode.
class Hosts {
public:
    Hosts() {
        std::ofstream file{directory.file("cluster.toml")};
        file << "[cluster]\nname = \"shop\"\n";
        for (const auto& role : roles) {
            admin_[role] = free_port();
            file << fmt::format(
                "[[node]]\nname = \"{0}-1\"\nroles = [\"{0}\"]\nlink = \"127.0.0.1:{1}\"\nadmin = "
                "\"127.0.0.1:{2}\"\n",
                role, free_port(), admin_[role]);
            if (role == "gateway") file << fmt::format("clients = \"127.0.0.1:{}\"\n", free_port());
            if (role == "login") file << fmt::format("http = \"127.0.0.1:{}\"\n", login_ = free_port());
        }
    }

    [[nodiscard]] Finished command(std::vector<std::string> words) const {
        words.insert(words.begin(), GS_BINARY);
        return run(words, directory.path().string());
    }
    void must(const std::vector<std::string>& words) const {
        const auto done = command(words);
        INFO(done.output);
        REQUIRE(done.code == 0);
    }
    /// The keys of all hosts, made on one and copied.
    void make_keys() const {
        must({"keygen", "--out", "keys"});
        for (const auto& role : roles) {
            const auto node = role + "-1";
            must({"certify", "node", "--name", node, "--roles", role, "--zone-key", "keys/zone.key", "--out", node});
            copy("keys", node, "cluster.key");
            copy("keys", node, "zone.pub");
        }
        copy("keys", "login-1", "token.key");
        copy("keys", "gateway-1", "token.pub");
        must({"certify", "gateway", "--name", "gateway-1", "--zone-key", "keys/zone.key", "--out", "gateway-1"});
    }
    void copy(const std::string& from, const std::string& to, const std::string& file) const {
        std::filesystem::copy_file(directory.path() / from / file, directory.path() / to / file,
                                   std::filesystem::copy_options::overwrite_existing);
    }

    [[nodiscard]] std::vector<std::string> words(const std::string& role) const {
        return {GS_BINARY, "run", "--config", "cluster.toml", "--node", role + "-1", "--data-dir", role + "-1"};
    }
    Process& start(const std::string& role) {
        processes_[role] = std::make_unique<Process>(words(role), directory.path().string());
        return *processes_[role];
    }
    void kill(const std::string& role) {
        processes_.at(role)->send_signal(SIGKILL);
        processes_.at(role)->wait_exit();
    }
    [[nodiscard]] Process& at(const std::string& role) { return *processes_.at(role); }
    [[nodiscard]] bool ready(const std::string& role) const { return page(role, "readyz").status == 200; }
    void wait_all_ready() const {
        for (const auto& role : roles) wait_until(role + " is ready", [&] { return ready(role); });
    }
    [[nodiscard]] double metric(const std::string& role, const std::string& series) const {
        const auto text = page(role, "metrics").body;
        const auto place = text.find("\n" + series + " ");
        return place == std::string::npos ? -1 : std::stod(text.substr(place + series.size() + 2));
    }
    void check_bots() const {
        const auto report = directory.file("report.json");
        const auto played = run(bots(fmt::format("http://127.0.0.1:{}", login_), report,
                                     {"--count", "50", "--scenario", "mixed", "--seconds", "2"}));
        INFO(played.output);
        CHECK(played.code == 0);
        CHECK(read_report(report).at("errors") == 0);
        CHECK(read_report(report).at("players_in_most") == 50);
    }

    const ScratchDirectory directory;

private:
    [[nodiscard]] Answer page(const std::string& role, const std::string& path) const {
        return http_get(fmt::format("http://127.0.0.1:{}/{}", admin_.at(role), path));
    }
    std::map<std::string, std::uint16_t> admin_;
    std::uint16_t login_ = 0;
    std::map<std::string, std::unique_ptr<Process>> processes_;
};

}  // namespace

TEST_CASE("five encrypted nodes serve bots and one with another cluster key stays out",
          "[process][noise][MSG-06][CLU-09][CLU-10]") {
    Hosts hosts;
    hosts.make_keys();
    for (const auto& role : roles) hosts.start(role);
    hosts.wait_all_ready();
    hosts.check_bots();
    for (const auto& role : roles) {
        CHECK(hosts.metric(role, "gameserver_links_connected") == 4);
        CHECK(hosts.metric(role, "gameserver_link_complaints_total") == 0);
    }
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto left =
        hosts.metric("game", "gameserver_link_certificate_expires_seconds") - static_cast<double>(now.count());
    CHECK(left > 364 * 86'400.0);
    CHECK(left <= 365 * 86'400.0);

    // Renewed while it runs.
    hosts.must({"certify", "node", "--name", "center-1", "--roles", "center", "--days", "400", "--zone-key",
                "keys/zone.key", "--out", "center-1"});
    hosts.at("center").wait_line("the certificate center-1/node-center-1.cert was read again");
    CHECK(hosts.metric("center", "gameserver_link_certificate_expires_seconds") > now.count() + 399 * 86'400.0);

    // Killed, it comes back.
    hosts.kill("game");
    wait_until("the center has noticed", [&] { return hosts.metric("center", "gameserver_links_connected") == 3; });
    hosts.start("game");
    hosts.wait_all_ready();
    hosts.check_bots();

    hosts.kill("game");
    hosts.must({"keygen", "--out", "other"});
    hosts.copy("other", "game-1", "cluster.key");
    auto& stranger = hosts.start("game");
    stranger.wait_line("the handshake failed at the cluster key: do both have the same cluster.key?");
    stranger.wait_line("(do both have the same cluster.key? The log of the other node says more)");
    hosts.at("center").wait_line("(do both have the same cluster.key? The log of the other node says more)");
    hosts.at("storage").wait_line("the handshake failed at the cluster key: do both have the same cluster.key?");
    CHECK(hosts.metric("game", "gameserver_links_connected") == 0);
    CHECK(hosts.metric("center", "gameserver_links_connected") == 3);
    CHECK(hosts.metric("storage", "gameserver_link_complaints_total") >= 1);
    CHECK_FALSE(hosts.ready("game"));

    hosts.kill("game");
    hosts.copy("keys", "game-1", "cluster.key");
    hosts.start("game");
    hosts.wait_all_ready();
    hosts.check_bots();
}

TEST_CASE("a node whose keys will not do says which and does not start", "[process][noise][MSG-06][CLU-09]") {
    const Hosts hosts;
    const auto node = hosts.directory.path() / "game-1";
    const auto start = [&] {
        const auto done =
            hosts.command({"run", "--config", "cluster.toml", "--node", "game-1", "--data-dir", "game-1"});
        CHECK(done.code == 2);
        return done.output;
    };
    const auto certify = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words{"certify", "node", "--zone-key", "keys/zone.key"};
        words.insert(words.end(), more.begin(), more.end());
        hosts.must(words);
    };
    const std::string advice{". Make key and certificate with: gameserver certify node --name game-1 --roles game"};
    const auto cannot = [&](const std::string& why) {
        return Catch::Contains("gameserver: node \"game-1\" (its links) cannot encrypt: " + why + advice);
    };
    hosts.must({"keygen", "--out", "keys"});
    std::filesystem::create_directory(node);
    CHECK_THAT(start(),
               Catch::Contains("gameserver: links cannot be encrypted: cannot open key file game-1/cluster.key: "
                               "No such file or directory. All nodes need the same one; gameserver keygen makes "
                               "it"));
    hosts.copy("keys", "game-1", "cluster.key");
    ::chmod((node / "cluster.key").c_str(), 0640);
    CHECK_THAT(start(), Catch::Contains("game-1/cluster.key may be used by others (mode 0640)"));
    ::chmod((node / "cluster.key").c_str(), 0600);
    CHECK_THAT(start(), Catch::Contains("game-1/zone.pub: No such file or directory (login.root_files)"));
    hosts.copy("keys", "game-1", "zone.pub");
    CHECK_THAT(start(), cannot("cannot open key file game-1/node-game-1.key: No such file or directory"));

    certify({"--name", "center-1", "--roles", "center", "--out", "center-1"});
    std::filesystem::copy(hosts.directory.path() / "center-1/node-center-1.key", node / "node-game-1.key");
    std::filesystem::copy(hosts.directory.path() / "center-1/node-center-1.cert", node / "node-game-1.cert");
    CHECK_THAT(start(), cannot("the certificate is for node \"center-1\""));
    certify({"--name", "game-1", "--roles", "gateway,login", "--out", "game-1"});
    CHECK_THAT(start(), cannot("the certificate does not give it the role game"));
    certify({"--name", "game-1", "--roles", "game", "--zone", "other", "--out", "game-1"});
    CHECK_THAT(start(), cannot("the certificate is for zone \"other\"; this is zone \"default\""));
    hosts.must({"keygen", "--out", "other"});
    hosts.must(
        {"certify", "node", "--name", "game-1", "--roles", "game", "--zone-key", "other/zone.key", "--out", "game-1"});
    CHECK_THAT(start(), cannot("the certificate is not signed by a root that is trusted here"));

    const auto no_roles = hosts.command({"certify", "node", "--name", "game-1", "--zone-key", "keys/zone.key"});
    CHECK(no_roles.code == 2);
    CHECK(no_roles.output == "gameserver: say which roles the node may have: --roles game, or all\n");
    const auto no_role =
        hosts.command({"certify", "node", "--name", "game-1", "--roles", "gaem", "--zone-key", "keys/zone.key"});
    CHECK(no_role.code == 2);
    CHECK_THAT(no_role.output, Catch::Contains("\"gaem\" is not a role"));
}

TEST_CASE("up runs encrypted nodes when it is told to and they come back after kill -9",
          "[process][noise][MSG-06][CLI-03][CLU-10]") {
    const ScratchDirectory directory;
    Cluster cluster{directory, "cluster-local.toml", {"--set", "links.security=noise"}};
    struct stat status {};
    for (const auto& role : roles) {
        REQUIRE(::stat(directory.file("data/node-" + role + "-1.key").c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0600);
        CHECK(cluster.metric(role + "-1", "gameserver_link_certificate_expires_seconds") > 0);
    }
    const auto report_file = directory.file("report.json");
    const auto play = [&](const std::string& scenario) {
        const auto played =
            run(bots(cluster.login_url(), report_file, {"--count", "50", "--scenario", scenario, "--seconds", "2"}));
        INFO(played.output << cluster.up().output());
        CHECK(played.code == 0);
        CHECK(read_report(report_file).at("errors") == 0);
        CHECK(read_report(report_file).at("players_in_most") == 50);
    };
    play("chat");
    for (const auto& role : roles) cluster.kill_node(role + "-1");
    play("mixed");
    for (const auto& role : roles) CHECK(cluster.metric(role + "-1", "gameserver_link_complaints_total") == 0);
}

TEST_CASE("outside of development mode links are plain on loopback addresses only", "[process][noise][MSG-06]") {
    const ScratchDirectory directory;
    const auto check = [&](const std::string& address, const std::string& security, bool development) {
        std::ofstream file{directory.file("c.toml")};
        file << "[server]\ndevelopment = " << (development ? "true" : "false") << "\n"
             << "[links]\nsecurity = \"" << security << "\"\n"
             << "[[node]]\nname = \"one\"\nroles = [\"gateway\", \"login\", \"game\"]\nlink = \"127.0.0.1:7101\"\n"
             << "[[node]]\nname = \"two\"\nroles = [\"center\", \"storage\"]\nlink = \"" << address << "\"\n";
        file.close();
        return run({GS_BINARY, "check-config", "--config", "c.toml"}, directory.path().string());
    };
    CHECK(check("10.0.0.2:7102", "noise", false).code == 0);
    CHECK(check("127.0.0.1:7102", "none", false).code == 0);
    CHECK(check("10.0.0.2:7102", "none", true).code == 0);
    const auto open = check("10.0.0.2:7102", "none", false);
    CHECK(open.code == 2);
    CHECK(open.output ==
          "c.toml:4:12: links.security must be \"noise\" outside of development mode, unless the link of every "
          "[[node]] is "
          "a loopback address\n");
}
