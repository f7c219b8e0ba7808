// `gameserver up`: five processes with one role each, and what remains when they die.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/processes/server.hpp"

using namespace gs::test;

namespace {

const std::vector<std::string> nodes{"gateway-1", "login-1", "center-1", "game-1", "storage-1"};

/// `gameserver up` with etc/cluster-local.toml on free ports; all nodes are ready when it is constructed.
class Cluster {
public:
    explicit Cluster(const ScratchDirectory& directory) : database_{directory.file("data/game.db")} {
        const auto config = directory.file("cluster.toml");
        write_config(config);
        up_ = std::make_unique<Process>(
            std::vector<std::string>{GS_BINARY, "up", config, "--data-dir", directory.file("data")});
        for (const auto& node : nodes) wait_ready(node);
    }

    Process& up() { return *up_; }
    [[nodiscard]] std::string login_url() const { return "http://" + login_; }
    [[nodiscard]] const std::string& database() const { return database_; }

    void wait_ready(const std::string& node) const {
        wait_until(node + " is ready", [&] { return http_get("http://" + admin_.at(node) + "/readyz").status == 200; });
    }

    /// kill -9; returns when `up` has started the node again and all nodes are ready.
    void kill_node(const std::string& node) {
        const auto before = up_->line_count();
        ::kill(pid_of(node), SIGKILL);
        up_->wait_line(line_of(node, "was killed by signal 9; starting it again in"), before);
        up_->wait_line(line_of(node, "started, pid "), before);
        for (const auto& each : nodes) wait_ready(each);
    }

    static std::string line_of(const std::string& node, const std::string& text) {
        return fmt::format("{:<9} | {}", node, text);
    }

private:
    void write_config(const std::string& file) {
        std::ifstream original{GS_SOURCE_DIR "/etc/cluster-local.toml"};
        std::stringstream all;
        all << original.rdbuf();
        std::string node, written;
        const std::regex name{R"re(name = "(.*)")re"}, address{R"((\w+) = "127\.0\.0\.1:\d+")"};
        for (std::string line; std::getline(all, line); written += line + "\n") {
            std::smatch found;
            if (std::regex_search(line, found, name)) node = found[1];
            if (!std::regex_search(line, found, address)) continue;
            const auto here = fmt::format("127.0.0.1:{}", free_port());
            if (found[1] == "admin") admin_[node] = here;
            if (found[1] == "http") login_ = here;
            line = fmt::format("{} = \"{}\"", found[1].str(), here);
        }
        REQUIRE(admin_.size() == nodes.size());
        std::ofstream{file} << written;
    }

    [[nodiscard]] pid_t pid_of(const std::string& node) const {
        const auto start = line_of(node, "started, pid ");
        pid_t pid = -1;
        for (const auto& line : up_->lines()) {
            if (line.starts_with(start)) pid = std::stoi(line.substr(start.size()));
        }
        REQUIRE(pid > 0);
        return pid;
    }

    std::string database_, login_;
    std::map<std::string, std::string> admin_;
    std::unique_ptr<Process> up_;
};

/// Counts lines that bots add to their ledger, each for a change that was tried or confirmed.
class LedgerWatch {
public:
    explicit LedgerWatch(const std::string& file) {
        wait_until("the bots begin a ledger", [&] { return std::filesystem::exists(file); });
        stream_.open(file);
    }
    std::size_t lines() {
        stream_.clear();
        for (char letter; stream_.get(letter);) lines_ += letter == '\n' ? 1 : 0;
        return lines_;
    }

private:
    std::ifstream stream_;
    std::size_t lines_ = 0;
};

}  // namespace

TEST_CASE("five processes serve bots without an error and Ctrl-C stops them in order", "[process][CLI-03]") {
    const ScratchDirectory directory;
    Cluster cluster{directory};
    const auto report_file = directory.file("report.json");
    const auto played =
        run(bots(cluster.login_url(), report_file, {"--count", "200", "--scenario", "chat", "--seconds", "4"}));
    INFO(played.output << cluster.up().output());
    CHECK(played.code == 0);
    CHECK(read_report(report_file).at("errors") == 0);
    CHECK(read_report(report_file).at("players_in_most") == 200);

    const auto before = cluster.up().line_count();
    cluster.up().send_signal(SIGINT);
    CHECK(cluster.up().wait_exit() == 0);
    std::vector<std::string> stopped;
    const auto lines = cluster.up().lines();
    for (auto line = lines.begin() + static_cast<std::ptrdiff_t>(before); line != lines.end(); ++line) {
        for (const auto& node : nodes) {
            if (*line == Cluster::line_of(node, "stopped")) stopped.push_back(node);
        }
    }
    INFO(cluster.up().output());
    CHECK(stopped == std::vector<std::string>{"gateway-1", "login-1", "game-1", "center-1", "storage-1"});
}

TEST_CASE("kill_each_role: each comes back and everything confirmed is in the database", "[process][CLI-03][CLU-10]") {
    const ScratchDirectory directory;
    Cluster cluster{directory};
    const auto ledger_file = directory.file("ledger"), report_file = directory.file("report.json");
    Process players{bots(cluster.login_url(), report_file,
                         {"--count", "40", "--scenario", "profile", "--seconds", "200", "--rate", "10", "--survive",
                          "--ledger", ledger_file})};
    LedgerWatch ledger{ledger_file};
    const auto wait_play = [&](const std::string& when) {
        const auto before = ledger.lines();
        // Ten changes of each bot: one that is stuck or out tries at most one.
        wait_until("play goes on " + when, [&] { return ledger.lines() > before + 800; });
    };
    wait_play("at first");
    for (const auto& node : nodes) {
        cluster.kill_node(node);
        wait_play("without the first " + node);
    }
    players.send_signal(SIGINT);
    INFO(cluster.up().output());
    const auto code = players.wait_exit();
    INFO(players.output());
    CHECK(code == 0);
    const auto report = read_report(report_file);
    CHECK(report.at("errors") == 0);
    CHECK(report.at("reconnects") > 0);

    cluster.up().send_signal(SIGINT);
    CHECK(cluster.up().wait_exit() == 0);
    check_ledger(ledger_file, cluster.database());
}
