// One process with all roles, as a newcomer runs it.
#include <signal.h>
#include <sqlite3.h>

#include <fstream>
#include <regex>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "client/cpp/blocking.hpp"
#include "client/cpp/login.hpp"
#include "http/client.hpp"
#include "modules/profile/messages.hpp"
#include "tests/processes/server.hpp"

using namespace gs;
using namespace gs::test;

namespace {

/// A guest who has entered.
struct Guest {
    explicit Guest(const Server& server) {
        const auto found = client::LoginClient{server.login_url()}.guest();
        REQUIRE(found);
        login = *found;
        REQUIRE(login.gateways.size() == 1);
        REQUIRE(client.connect(login.gateways[0].host, login.gateways[0].port, login.token));
    }
    client::Login login;
    client::BlockingClient client;
};

/// The sum of a series over its labels; -1 when it is missing.
double series(const std::string& page, const std::string& name) {
    double sum = -1;
    const std::regex line{"(^|\n)" + name + "(\\{[^}\n]*\\})? ([0-9.e+-]+)"};
    for (std::sregex_iterator at{page.begin(), page.end(), line}, end; at != end; ++at)
        sum = std::max(sum, 0.0) + std::stod((*at)[3]);
    return sum;
}

}  // namespace

TEST_CASE("a newcomer's server is ready at once and tells where it is", "[process][CLI-01]") {
    const ScratchDirectory directory;
    Server server{directory.path() / "data"};
    const auto took = Clock::now() - server.process().started();
    CHECK(took < std::chrono::seconds{3});  // on an idle machine a tenth of a second

    server.process().wait_line("stop with Ctrl-C");
    const auto output = server.process().output();
    INFO(output);
    CHECK(output.find("development mode") != std::string::npos);
    CHECK(output.find((directory.path() / "data").string() + "\n") != std::string::npos);
    CHECK(output.find("players log in at   " + server.login_url() + "/v1/guest\n") != std::string::npos);
    CHECK(output.find("and then connect to " + server.gateway() + "\n") != std::string::npos);
    CHECK(output.find("try it in a browser " + server.login_url() + "/play\n") != std::string::npos);
    CHECK(output.find("health and metrics  " + server.admin_url() + "/readyz  /healthz  /metrics\n") !=
          std::string::npos);
    CHECK(output.find("gameserver bots --count 50 --scenario chat --seconds 10 \\\n      --login " +
                      server.login_url()) != std::string::npos);

    const auto ready = http_get(server.admin_url() + "/readyz");
    CHECK(ready.status == 200);
    CHECK(ready.body == "ready\n");
    const auto health = http_get(server.admin_url() + "/healthz");
    CHECK(health.status == 200);
    CHECK(health.body == "ok\n");
}

TEST_CASE("bots chat in one process without an error and the metrics tell of it", "[process][BOT-01][NEW-08]") {
    const ScratchDirectory directory;
    Server server{directory.path() / "data"};
    const auto report_file = directory.file("report.json");
    const auto played =
        run(bots(server.login_url(), report_file, {"--count", "200", "--scenario", "chat", "--seconds", "4"}));
    INFO(played.output << server.process().output());
    CHECK(played.code == 0);
    const auto report = read_report(report_file);
    CHECK(report.at("errors") == 0);
    CHECK(report.at("players_in_most") == 200);
    CHECK(report.at("requests") > 200);
    CHECK(report.at("pushes") > report.at("requests"));

    const auto page = http_get(server.admin_url() + "/metrics").body;
    INFO(page);
    CHECK(series(page, "gameserver_gateway_connections") >= 0);
    CHECK(series(page, "gameserver_gateway_accepted_total") == 200);
    CHECK(series(page, "gameserver_client_messages_in_total") >= report.at("requests"));
    CHECK(series(page, "gameserver_client_messages_out_total") >= report.at("pushes"));
    CHECK(series(page, "gameserver_client_bytes_in_total") > 1000);
    CHECK(series(page, "gameserver_client_bytes_out_total") > 1000);
    CHECK(page.find("gameserver_request_seconds_bucket{command=\"Say\",le=") != std::string::npos);
    CHECK(series(page, "gameserver_request_seconds_count") >= report.at("requests"));
    CHECK(series(page, "gameserver_storage_waiting") >= 0);
    CHECK(series(page, "gameserver_storage_batch_operations_count") > 0);
    CHECK(series(page, "gameserver_storage_commit_seconds_count") > 0);
    CHECK(series(page, "gameserver_loop_lag_seconds_count") > 0);
    CHECK(series(page, "gameserver_escaped_errors_total") == 0);
    CHECK(series(page, "gameserver_log_dropped_total") == 0);
}

TEST_CASE("SIGTERM saves everything and ends with 0", "[process][CLI-02]") {
    const ScratchDirectory directory;
    Server server{directory.path() / "data"};
    Guest guest{server};
    std::string reason;
    guest.client.on_away([&](const wire::Close& close) { reason = close.reason; });
    server.process().send_signal(SIGTERM);
    CHECK(server.process().wait_exit() == 0);
    INFO(server.process().output());
    CHECK(server.process().output().find("stopped") != std::string::npos);
    wait_until("the client is told why", [&] {
        guest.client.poll(std::chrono::milliseconds{10});
        return !reason.empty();
    });
    CHECK(reason == "the server is stopping");
    // Entering counted up a component that nothing else has saved yet.
    const auto query =
        fmt::format("SELECT data FROM component WHERE name = 'profile_private' AND id = {}", guest.login.player);
    CHECK(sqlite_shell(directory.file("data/game.db"), query) == R"({"email":"","logins":1})");
}

TEST_CASE("a second signal stops at once", "[process][CLI-02]") {
    const ScratchDirectory directory;
    Server server{directory.path() / "data"};
    const Guest guest{server};
    // Somebody else's transaction keeps the server from saving what entering has changed.
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(directory.file("data/game.db").c_str(), &database) == SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    REQUIRE(sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
    server.process().send_signal(SIGTERM);
    server.process().wait_line("stopping: no new players, then saving (again to stop at once)");
    const auto asked = Clock::now();
    server.process().send_signal(SIGINT);
    CHECK(server.process().wait_exit() == 1);
    CHECK(Clock::now() - asked < std::chrono::seconds{2});
    CHECK(server.process().output().find("stopped at once, as asked a second time") != std::string::npos);
    sqlite3_close(database);
}

TEST_CASE("what a bot was promised is there after a restart and sqlite3 shows it", "[process][GAM-01]") {
    const ScratchDirectory directory;
    const auto ledger_file = directory.file("ledger");
    const auto database = directory.file("data/game.db");
    {
        Server server{directory.path() / "data"};
        const auto played = run(bots(
            server.login_url(), directory.file("report.json"),
            {"--count", "20", "--scenario", "profile", "--seconds", "2", "--rate", "10", "--ledger", ledger_file}));
        INFO(played.output);
        CHECK(played.code == 0);
        // While the server has the file open, and after it is gone.
        CHECK(sqlite_shell(database, "SELECT count(*) FROM component WHERE name = 'profile'") == "20");
        server.process().send_signal(SIGTERM);
        CHECK(server.process().wait_exit() == 0);
    }
    CHECK(sqlite_shell(database, "SELECT count(*) FROM component WHERE name = 'profile'") == "20");
    CHECK(sqlite_shell(database, "PRAGMA integrity_check") == "ok");
    check_ledger(ledger_file, database);

    const Server server{directory.path() / "data"};
    Guest guest{server};
    const auto ledger = read_ledger(ledger_file);
    CHECK(ledger.size() == 20);
    for (const auto& [player, entry] : ledger) {
        profile::ViewProfile view;
        view.player = PlayerId{player};
        const auto shown = guest.client.request(view);
        REQUIRE(shown);
        CHECK(shown->nickname == entry.nickname);
        CHECK(shown->motto == fmt::format("n={}", entry.confirmed));
        CHECK(entry.confirmed == entry.attempted);
    }
}

TEST_CASE("a login with 10 MB of JSON is refused and costs no memory", "[process][LOG-01]") {
    const ScratchDirectory directory;
    Server server{directory.path() / "data"};
    std::string body = R"({"name":"somebody","password":")";
    body.append(10'000'000, 'x');
    body += "\"}";
    const auto before = peak_memory_bytes(server.process().pid());
    const auto file = directory.file("body.json"), url = server.login_url() + "/v1/login";
    std::ofstream{file} << body;
    const std::string refusal{
        R"({"error":{"code":"invalid","message":"the request body is larger than 65536 bytes"}})"};
    // Clients that send all of it, at the same time; and one that asks first, as libcurl does on its own.
    std::vector<std::unique_ptr<Process>> clients;
    for (int count = 0; count < 8; ++count) {
        clients.push_back(std::make_unique<Process>(std::vector<std::string>{
            "curl", "--silent", "--show-error", "--write-out", " %{http_code}", "--header", "Expect:", "--header",
            "Content-Type: application/json", "--data-binary", "@" + file, url}));
    }
    for (auto& client : clients) {
        CHECK(client->wait_exit() == 0);
        CHECK(client->output() == refusal + " 413\n");
    }
    http::HttpClient asking;
    const auto answer = asking.fetch({.method = "POST", .url = url, .body = body});
    REQUIRE(answer);
    CHECK(answer->status == 413);
    CHECK(answer->body == refusal);
    CHECK(peak_memory_bytes(server.process().pid()) - before < 10'000'000);  // less than a single body
    const Guest others_are_not_disturbed{server};
}

TEST_CASE("bots say the version that they are told to", "[process][TOL-03]") {
    const ScratchDirectory directory;
    const Server server{directory.path() / "data", {"--set", "gateway.client_version_min=1.4"}};
    const auto play = [&](std::vector<std::string> more) {
        more.insert(more.end(), {"--count", "3", "--scenario", "echo", "--seconds", "0.5"});
        return run(bots(server.login_url(), directory.file("report.json"), more));
    };
    const auto silent = play({});
    CHECK(silent.code == 1);
    CHECK(silent.output.find("outdated") != std::string::npos);
    CHECK(play({"--client-version", "1.3"}).code == 1);
    const auto good = play({"--client-version", "1.4"});
    INFO(good.output);
    CHECK(good.code == 0);
}
