// `gameserver up`: five processes with one role each, and what remains when they die.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/processes/cluster.hpp"

using namespace gs::test;

namespace {

const std::vector<std::string> nodes{"gateway-1", "login-1", "center-1", "game-1", "storage-1"};

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
    Cluster cluster{directory, "cluster-local.toml"};
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
    Cluster cluster{directory, "cluster-local.toml"};
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
    CHECK(report.at("resumes") + report.at("resumed_with_gap") > 0);

    cluster.up().send_signal(SIGINT);
    CHECK(cluster.up().wait_exit() == 0);
    check_ledger(ledger_file, cluster.database());
}
