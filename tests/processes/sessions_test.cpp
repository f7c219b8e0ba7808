// Sessions that survive, with real processes and sockets: two gateways and two games, one of them killed.
#include <csignal>

#include <catch2/catch.hpp>

#include "tests/processes/cluster.hpp"

using namespace gs::test;

namespace {

double both(const Cluster& cluster, const std::string& kind, const std::string& series) {
    return cluster.metric(kind + "-1", series) + cluster.metric(kind + "-2", series);
}

}  // namespace

TEST_CASE("gateway_killed: every bot resumes on the other one, nothing is lost doubled or reordered",
          "[process][SES-02][SES-07][NEW-02]") {
    const ScratchDirectory directory;
    Cluster cluster{directory, "cluster-failover.toml"};
    const auto report_file = directory.file("report.json");
    Process players{bots(cluster.login_url(), report_file,
                         {"--count", "100", "--scenario", "whisper", "--seconds", "200", "--survive"})};
    const auto wait_play = [&](const std::string& when, double more) {
        const auto before = both(cluster, "game", R"(gameserver_request_seconds_count{command="Whisper"})");
        wait_until("play goes on " + when, [&] {
            return both(cluster, "game", R"(gameserver_request_seconds_count{command="Whisper"})") > before + more;
        });
    };
    wait_until("all bots are in", [&] { return both(cluster, "gateway", "gameserver_gateway_players") >= 100; });
    wait_play("at first", 300);
    cluster.kill_node("gateway-1");
    wait_play("without the first gateway", 1000);
    cluster.kill_node("gateway-2");
    wait_play("without the second gateway", 1000);
    players.send_signal(SIGINT);
    const auto code = players.wait_exit();
    INFO(players.output());
    CHECK(code == 0);
    const auto report = read_report(report_file);
    CHECK(report.at("errors") == 0);
    CHECK(report.at("resumed_with_gap") == 0);
    CHECK(report.at("resumes") >= 100);
}
