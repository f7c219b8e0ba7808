// `gameserver admin log-calls` with real processes.
#include <algorithm>

#include <catch2/catch.hpp>

#include "client/cpp/blocking.hpp"
#include "client/cpp/login.hpp"
#include "http/client.hpp"
#include "modules/echo/messages.hpp"
#include "tests/processes/cluster.hpp"
#include "tests/processes/server.hpp"

using namespace gs;
using namespace gs::test;

namespace {

struct Guest {
    explicit Guest(const Server& server) {
        const auto login = client::LoginClient{server.login_url()}.guest().value();
        client.connect(login.gateways.at(0).host, login.gateways.at(0).port, login.token).value();
        number = fmt::format("{}", login.player);
    }
    void say(const std::string& text) { client.request(echo::Echo{text}).value(); }
    client::BlockingClient client;
    std::string number;
};

}  // namespace

TEST_CASE("an operator has the requests of a player logged while the server runs", "[process][MSG-12][CLI-04]") {
    const ScratchDirectory directory;
    Server server{directory.path() / "data"};
    const auto admin = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {GS_BINARY, "admin", "log-calls"});
        more.insert(more.end(), {"--at", server.admin_url().substr(std::string{"http://"}.size())});
        const auto ended = run(more);
        return fmt::format("{} {}", ended.code, ended.output);
    };
    Guest anna{server}, bert{server};
    CHECK(admin({"--player", anna.number, "--for", "10m"}) ==
          fmt::format("0 requests of player:{} are logged for 10m, in 1 game\n", anna.number));
    bert.say("before");
    anna.say("first");
    server.process().wait_line(fmt::format("of player {}: ", anna.number));
    CHECK(admin({"--player", anna.number, "--off"}) ==
          fmt::format("0 requests of player:{} are not logged any more, in 1 game\n", anna.number));
    anna.say("unheard");
    CHECK(admin({"--module", "echo"}) == "0 requests of module:echo are logged for 10m, in 1 game\n");
    bert.say("last");
    server.process().wait_line("last");
    const auto output = server.process().output();
    CHECK(output.find("first") != std::string::npos);
    CHECK(output.find("before") == std::string::npos);
    CHECK(output.find("unheard") == std::string::npos);
    CHECK(admin({"--off"}) == "0 requests of all are not logged any more, in 1 game\n");

    CHECK_THAT(admin({}), Catch::StartsWith("2 gameserver: whose requests? Say --player NUMBER"));
    CHECK_THAT(admin({"--all", "--module", "echo"}), Catch::StartsWith("2 gameserver: say one of --player"));
    CHECK_THAT(admin({"--player", "anna"}), Catch::StartsWith("2 gameserver: \"anna\" is not a player's number"));
    CHECK_THAT(admin({"--all", "--for", "soon"}), Catch::StartsWith("2 gameserver: \"soon\" is not a time"));
    CHECK_THAT(admin({"--all", "--for", "2d"}), Catch::StartsWith("1 gameserver: node-1: seconds: 1 to 86400"));
    CHECK_THAT(admin({"--module", "eccho"}), Catch::StartsWith("1 gameserver: node-1: there is no module \"eccho\""));

    http::HttpFetch fetch;
    fetch.method = "POST";
    fetch.url = server.admin_url() + "/v1/log-calls";
    fetch.headers = {{"Content-Type", "application/json"}};
    fetch.body = R"({"whom":"all"})";
    const auto forgotten = http::HttpClient{}.fetch(fetch).value();
    CHECK(forgotten.status == 400);
    CHECK_THAT(forgotten.body, Catch::Contains("is missing"));
}

TEST_CASE("all games of a cluster log what an operator asked one node for", "[process][MSG-12][CLI-04]") {
    const ScratchDirectory directory;
    Cluster cluster{directory, "cluster-failover.toml"};
    const auto ended =
        run({GS_BINARY, "admin", "log-calls", "--all", "--for", "1h", "--config", directory.file("cluster.toml")});
    INFO(ended.output);
    CHECK(ended.code == 0);
    CHECK(ended.output == "requests of all are logged for 1h, in 2 games\n");
    for (const std::string game : {"game-1", "game-2"}) {
        wait_until(game + " says so", [&] {
            const auto lines = cluster.up().lines();
            return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
                return line.starts_with(game) &&
                       line.find("requests of all are logged for 3600 s") != std::string::npos;
            });
        });
    }
}
