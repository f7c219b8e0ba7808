// What a stranger reads who starts the server in a wrong way: the whole message, and the exit code.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "app/config/documented.hpp"
#include "app/run.hpp"
#include "http/client.hpp"
#include "tests/processes/server.hpp"

using namespace gs::test;

namespace {

void write(const std::string& file, const std::string& text) { std::ofstream{file} << text; }

std::string read(const std::string& file) {
    std::ifstream stream{file};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

const std::string wrong{"gameserver: the configuration is wrong\n"};

/// All roles, in a directory, with whatever is added; on any free ports.
Finished run_all(const ScratchDirectory& directory, const std::vector<std::string>& more,
                 const std::string& data = "data") {
    auto words = Server::words(data, 0, 0, 0);
    words.insert(words.end(), more.begin(), more.end());
    return run(words, directory.path().string());
}

/// A line of the output, as logs may stand around it.
bool has_line(const std::string& output, const std::string& line) {
    return ("\n" + output).find("\n" + line + "\n") != std::string::npos;
}

/// Somebody else who listens.
struct Occupied {
    Occupied()
        : acceptor{io, {asio::ip::address_v4::loopback(), free_port()}}, port{acceptor.local_endpoint().port()} {}
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor;
    std::uint16_t port;
    [[nodiscard]] std::string address() const { return fmt::format("127.0.0.1:{}", port); }
};

}  // namespace

TEST_CASE("wrong configurations are named with their place and what would be right", "[process][CFG-01]") {
    const ScratchDirectory directory;
    const auto try_config = [&](const std::string& text, const std::vector<std::string>& more = {"--roles=all"}) {
        write(directory.file("c.toml"), text);
        std::vector<std::string> words{GS_BINARY, "--config", "c.toml"};
        words.insert(words.end(), more.begin(), more.end());
        const auto finished = run(words, directory.path().string());
        CHECK(finished.code == 2);
        return finished.output;
    };
    CHECK(try_config("[gateway.tcp]\nadress = \"127.0.0.1:7000\"\n") ==
          wrong + "c.toml:2:1: gateway.tcp.adress is not a known key; did you mean gateway.tcp.address?\n");
    CHECK(try_config("[login]\ntries_per_account_max = 0\n") ==
          wrong + "c.toml:2:25: login.tries_per_account_max is 0; it must be 1 to 1000000 tries\n");
    CHECK(try_config("[server]\nroles = [\"gatway\"]\n", {}) ==
          wrong +
              "c.toml:2:9: server.roles cannot be used: \"gatway\" is not a role; roles are gateway, login, center, "
              "game, "
              "storage, or all\n");
    CHECK(try_config("[server]\ndevelopment = true\n", {}) ==
          "gameserver: no roles to run: say --roles=all, or some of gateway,login,center,game,storage\n");
    CHECK(try_config("[server]\ndevelopment = \"yes\"\n") ==
          wrong + "c.toml:2:15: server.development is \"yes\"; it must be true or false\n");
    CHECK(try_config("", {"--roles=all", "--set", "log.levl=debug"}) ==
          wrong + "--set: log.levl is not a known key; did you mean log.level?\n");
    CHECK(try_config("", {"--roles=gatway"}) ==
          wrong + "\"gatway\" is not a role; roles are gateway, login, center, game, storage, or all\n");
    CHECK(run({GS_BINARY, "--config", "none.toml"}, directory.path().string()).output ==
          wrong + "none.toml: the configuration cannot be read: there is no such file\n");
    CHECK(run({GS_BINARY}, directory.path().string()).output ==
          "gameserver: no roles to run: say --roles=all, or some of gateway,login,center,game,storage\n");
}

TEST_CASE("a cluster file asks for a node and names the roles it does not know", "[process][CFG-01]") {
    const ScratchDirectory directory;
    const std::string example{GS_SOURCE_DIR "/etc/cluster-local.toml"};
    const auto message =
        wrong +
        "this config describes a cluster: choose a node with --node NAME (gateway-1, login-1, center-1, "
        "game-1, storage-1)\n";
    for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--node", "game-2"}}) {
        std::vector<std::string> words{GS_BINARY, "run", "--config", example};
        words.insert(words.end(), more.begin(), more.end());
        const auto finished = run(words, directory.path().string());
        CHECK(finished.code == 2);
        CHECK(finished.output == message);
    }
    auto text = read(example);
    text.replace(text.find("[\"storage\"]"), 11, "[\"storag\"]");
    write(directory.file("c.toml"), text);
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find("storag\"")), '\n');
    for (const std::string command : {"up", "check-config"}) {
        const auto finished = command == "up"
                                  ? run({GS_BINARY, "up", "c.toml"}, directory.path().string())
                                  : run({GS_BINARY, "check-config", "--config", "c.toml"}, directory.path().string());
        CHECK(finished.code == 2);
        CHECK(has_line(finished.output,
                       fmt::format("c.toml:{}:9: node[4].roles cannot be used: \"storag\" is not a role; roles are "
                                   "gateway, login, center, game, storage, or all",
                                   line)));
    }
    write(directory.file("two.toml"),
          read(example) + "\n[[node]]\nname = \"storage-2\"\nroles = [\"storage\"]\nlink = \"127.0.0.1:7190\"\n");
    const auto two = run({GS_BINARY, "run", "--config", "two.toml", "--node", "storage-1"}, directory.path().string());
    CHECK(two.code == 2);
    CHECK(two.output == wrong +
                            "nodes \"storage-1\" and \"storage-2\" both have the role storage; the engines of this "
                            "version keep a database for one node alone\n");
    const auto roles = run({GS_BINARY, "run", "--config", example, "--node", "center-1", "--roles=center,login"},
                           directory.path().string());
    CHECK(roles.code == 2);
    CHECK(roles.output == wrong +
                              "--roles does not go with a cluster file: others find what node \"center-1\" runs in "
                              "its [[node]] row\n");
    write(directory.file("none.toml"), "");
    const auto none = run({GS_BINARY, "up", "none.toml"}, directory.path().string());
    CHECK(none.code == 2);
    CHECK(none.output == "gameserver: none.toml describes no [[node]]; etc/cluster-local.toml is an example\n");
}

TEST_CASE("check-config names the nodes and keys of a cluster that cannot run", "[process][CFG-01]") {
    const ScratchDirectory directory;
    const auto example = read(GS_SOURCE_DIR "/etc/cluster-local.toml");
    const auto check = [&](const std::string& from, const std::string& to) {
        auto text = example;
        REQUIRE(text.find(from) != std::string::npos);
        text.replace(text.find(from), from.size(), to);
        write(directory.file("c.toml"), text);
        const auto finished = run({GS_BINARY, "check-config", "--config", "c.toml"}, directory.path().string());
        CHECK(finished.code == (from == to ? 0 : 2));
        return finished.output;
    };
    const std::string center_link = "link = \"127.0.0.1:7103\"";
    CHECK(check(center_link, center_link) == "the configuration is fine\n");
    CHECK(check(center_link, "link = \"127.0.0.1:0\"") ==
          "node \"center-1\": link: \"127.0.0.1:0\" has no port; other nodes must know it\n");
    CHECK(check(center_link, "link = \"127.0.0.1:71030\"") ==
          "node \"center-1\": link: \"127.0.0.1:71030\" is not an address: write host:port, for example "
          "127.0.0.1:7000\n");
    CHECK(check("admin = \"127.0.0.1:7093\"", "admin = \"7093\"") ==
          "node \"center-1\": admin: \"7093\" is not an address: write host:port, for example 127.0.0.1:7000\n");
    CHECK(check(center_link, "link = \"127.0.0.1:7080\"") ==
          "link of node \"center-1\" is 127.0.0.1:7080, and so is http of node \"login-1\"; give one of them another "
          "port\n");
    CHECK(check("roles = [\"center\"]", "roles = []") ==
          "node \"center-1\" has no roles; name some of gateway, login, center, game, storage, or all\n");
    CHECK(check("roles = [\"center\"]", "roles = [\"game\"]") ==
          "no [[node]] has the role center; a cluster needs each role once\n");
    CHECK(check("name = \"center-1\"", "name = \"\"") == "every [[node]] needs a name; one has none\n");
    CHECK(check("name = \"center-1\"", "name = \"login-1\"") ==
          "every [[node]] needs a name of its own; \"login-1\" is there twice\n");
    write(directory.file("one.toml"), "[server]\ndevelopment = true\n[gateway.tcp]\naddress = \"7000\"\n");
    const auto one = run({GS_BINARY, "check-config", "--config", "one.toml"}, directory.path().string());
    CHECK(one.code == 2);
    CHECK(one.output ==
          "one.toml:4:11: gateway.tcp.address: \"7000\" is not an address: write host:port, for example "
          "127.0.0.1:7000\n");
    const auto roles = run({GS_BINARY, "run", "--config", GS_SOURCE_DIR "/etc/cluster-local.toml", "--node", "center-1",
                            "--set", "server.roles=[\"center\",\"login\"]"},
                           directory.path().string());
    CHECK(roles.code == 2);
    CHECK(roles.output == wrong +
                              "server.roles does not go with a cluster file: others find what node \"center-1\" runs "
                              "in its [[node]] row\n");
}

TEST_CASE("an order to a node that cannot be reached says why, and in time", "[process][CLI-04]") {
    const ScratchDirectory directory;
    const auto drain = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words{GS_BINARY, "admin", "drain", "nobody"};
        words.insert(words.end(), more.begin(), more.end());
        return run(words, directory.path().string());
    };
    const std::string example{GS_SOURCE_DIR "/etc/cluster-local.toml"};
    const auto unknown = drain({"--config", example});
    CHECK(unknown.code == 2);
    CHECK(unknown.output == "gameserver: there is no node \"nobody\" in " + example +
                                "; there are: gateway-1, login-1, center-1, game-1, storage-1\n");
    const Server server{directory.path() / "data"};
    const auto login = server.login_url().substr(std::string{"http://"}.size());
    const auto elsewhere = drain({"--at", login});
    CHECK(elsewhere.code == 1);
    CHECK(elsewhere.output == "gameserver: " + login +
                                  " answers, but is not the admin endpoint of a node; give the address that its node "
                                  "has as `admin` in the cluster file, or as admin.address\n");
    const Occupied silent;
    const auto began = Clock::now();
    const auto late = drain({"--at", silent.address(), "--seconds", "1"});
    CHECK(late.code == 1);
    CHECK(Clock::now() - began < std::chrono::seconds{6});  // of ten that one request may take otherwise
    INFO(late.output);
    CHECK(late.output.starts_with("gameserver: no admin endpoint answers at " + silent.address()));
}

TEST_CASE("an order to drain over HTTP says all that is meant, or nothing is done", "[process][CLI-04][CEN-05]") {
    const ScratchDirectory directory;
    const Server server{directory.path() / "data"};
    gs::http::HttpClient client;
    const auto post = [&](const std::string& body, const std::string& type = "application/json") {
        gs::http::HttpFetch fetch;
        fetch.method = "POST";
        fetch.url = server.admin_url() + "/v1/drain";
        fetch.headers = {{"Content-Type", type}};
        fetch.body = body;
        const auto response = client.fetch(fetch).value();
        return fmt::format("{} {}", response.status, response.body);
    };
    const std::string how{
        " is missing; write {\\\"node\\\":NAME,\\\"on\\\":true} to drain a node, and false to let it "
        "take players again"};
    const auto says = [](const std::string& text) { return Catch::Contains(text); };
    CHECK_THAT(post("{}"), Catch::StartsWith("400 ") && says("\\\"node\\\"" + how));
    CHECK_THAT(post(R"({"node":"node-1"})"), Catch::StartsWith("400 ") && says("\\\"on\\\"" + how));
    CHECK_THAT(post(R"({"node":"node-1","onn":true})"),
               Catch::StartsWith("400 ") && says(R"(\"onn\" is unknown; did you mean \"on\"?)"));
    CHECK_THAT(post(R"({"node":"node-1","on":false})", "text/plain"), Catch::StartsWith("400 "));
    CHECK_THAT(post(R"({"node":"node-1","on":false})", "Application/JSON; charset=utf-8"), Catch::StartsWith("200 "));
}

TEST_CASE("a port in use is named with its key", "[process][CLI-04]") {
    const ScratchDirectory directory;
    const Occupied other;
    const auto game = run_all(directory, {"--set", "gateway.tcp.address=" + other.address()});
    CHECK(game.code == 1);
    INFO(game.output);
    CHECK(has_line(game.output,
                   fmt::format("gameserver: gateway.tcp.address: port {} of 127.0.0.1 is in use by another process; "
                               "stop it or choose another port",
                               other.port)));
    for (const std::string key : {"login.http.address", "admin.address"}) {
        const auto http = run_all(directory, {"--set", key + "=" + other.address()});
        CHECK(http.code == 1);
        INFO(http.output);
        CHECK(has_line(http.output,
                       fmt::format("gameserver: {}: http: port {} of 127.0.0.1 is in use by another process; stop "
                                   "that one or set another port",
                                   key, other.port)));
    }
    write(directory.file("c.toml"),
          fmt::format("[server]\ndevelopment = true\n[[node]]\nname = \"one\"\nroles = [\"all\"]\n"
                      "link = \"{}\"\nclients = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\nadmin = "
                      "\"127.0.0.1:0\"\n",
                      other.address()));
    const auto link = run({GS_BINARY, "--config", "c.toml", "--node", "one"}, directory.path().string());
    CHECK(link.code == 1);
    INFO(link.output);
    CHECK(has_line(link.output,
                   fmt::format("gameserver: the link listener of node one: port {} of 127.0.0.1 is in use by another "
                               "process; stop it or choose another port",
                               other.port)));
}

TEST_CASE("a second process on the same database is refused and does not disturb the first", "[process][CLI-04]") {
    const ScratchDirectory directory;
    Server first{directory.path() / "data"};
    const auto second = run_all(directory, {});
    CHECK(second.code == 1);
    INFO(second.output);
    CHECK(has_line(second.output,
                   fmt::format("gameserver: the database \"{}\" is in use by another process (stop it, or give "
                               "another data directory)",
                               directory.file("data/game.db"))));
    const auto played = run(bots(first.login_url(), directory.file("report.json"),
                                 {"--count", "5", "--scenario", "profile", "--seconds", "1", "--rate", "10"}));
    INFO(played.output);
    CHECK(played.code == 0);
}

TEST_CASE("a data directory that cannot be written is named", "[process][CLI-04]") {
    const ScratchDirectory directory;
    write(directory.file("file"), "");
    const auto below_file = run_all(directory, {}, "file/data");
    CHECK(below_file.code == 2);
    CHECK(below_file.output ==
          "gameserver: the directory file/data cannot be made: Not a directory; give another with --data-dir\n");
    const auto is_file = run_all(directory, {}, "file");
    CHECK(is_file.code == 2);
    INFO(is_file.output);
    CHECK(is_file.output.find("file") != std::string::npos);
    CHECK(is_file.output.find("--data-dir") != std::string::npos);
    const auto keygen = run({GS_BINARY, "keygen", "--out", "file/keys"}, directory.path().string());
    CHECK(keygen.code == 2);
    CHECK(keygen.output.starts_with("gameserver: the directory file/keys cannot be made: Not a directory; "));
}

TEST_CASE("without development mode keys must be made and kept secret", "[process][CLI-04]") {
    const ScratchDirectory directory;
    write(directory.file("c.toml"), "");
    std::filesystem::create_directory(directory.path() / "data");
    const auto login = run_all(directory, {"--config", "c.toml"});
    CHECK(login.code == 2);
    INFO(login.output);
    // All roles start at once: either of the two may be first.
    const std::string advice{"No such file or directory. Make the keys with: gameserver keygen --out data"};
    CHECK((has_line(login.output,
                    "gameserver: the gateway cannot verify tokens: cannot open key file data/token.pub: " + advice) ||
           has_line(login.output,
                    "gameserver: login cannot sign tokens: cannot open key file data/token.key: " + advice)));

    const auto keygen = run({GS_BINARY, "keygen", "--out", "data"}, directory.path().string());
    CHECK(keygen.code == 0);
    CHECK(keygen.output ==
          "keys are in data:\n  token.key  secret, for login only: signs tokens\n  token.pub  for every gateway\n"
          "  zone.key   secret, for `gameserver certify` only: keep it off the servers\n"
          "  zone.pub   for login, which tells clients to trust it, and for every node of a cluster\n"
          "  cluster.key  secret, for every node of a cluster: encrypts the links between them\n");
    const auto certified =
        run({GS_BINARY, "certify", "gateway", "--name", "gateway-1", "--zone-key", "data/zone.key", "--out", "data"},
            directory.path().string());
    CHECK(certified.code == 0);
    CHECK((std::filesystem::status(directory.path() / "data/token.key").permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    ::chmod(directory.file("data/token.key").c_str(), 0644);
    const auto readable = run_all(directory, {"--config", "c.toml"});
    CHECK(readable.code == 2);
    INFO(readable.output);
    CHECK(readable.output.find(
              "private key file data/token.key may be used by others (mode 0644); run: chmod 600 data/token.key") !=
          std::string::npos);
}

TEST_CASE("up does not start again a node whose config is wrong", "[process][CLI-04][CLI-03]") {
    const ScratchDirectory directory;
    const auto node = [](const std::string& name, const std::string& role) {
        return fmt::format(
            "[[node]]\nname = \"{}\"\nroles = [\"{}\"]\nlink = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n"
            "clients = \"127.0.0.1:{}\"\n",
            name, role, free_port(), free_port(), free_port());
    };
    // Without development mode nobody makes the keys that a gateway needs; storage needs none on plain links.
    const std::string plain{"[links]\nsecurity = \"none\"\n"};
    write(directory.file("one.toml"), plain + node("gateway-1", "gateway"));
    write(directory.file("two.toml"), plain + node("gateway-1", "gateway") + node("storage-1", "storage"));
    const std::string said{"gateway-1 | ended with code 2 (wrong use or config, see above); it is not started again"};
    const auto alone = run({GS_BINARY, "up", "one.toml", "--data-dir", "none"}, directory.path().string());
    INFO(alone.output);
    CHECK(alone.code == 2);
    CHECK(has_line(alone.output, said));

    Process up{{GS_BINARY, "up", "two.toml", "--data-dir", "data"}, directory.path().string()};
    up.wait_line(said);
    up.wait_line("storage is in");
    up.send_signal(SIGINT);
    CHECK(up.wait_exit() == 1);
    const auto output = up.output();
    INFO(output);
    CHECK(output.find("gateway-1 | started") == output.rfind("gateway-1 | started"));
}

TEST_CASE("every file in etc is right and gameserver.toml documents every key", "[process][CFG-01]") {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator{GS_SOURCE_DIR "/etc"}) {
        if (entry.path().extension() != ".toml") continue;
        const auto checked = run({GS_BINARY, "check-config", "--config", entry.path().string()});
        INFO(entry.path());
        CHECK(checked.output == "the configuration is fine\n");
        CHECK(checked.code == 0);
        ++files;
    }
    CHECK(files >= 2);

    const auto defaults = run({GS_BINARY, "check-config", "--print-defaults"});
    CHECK(defaults.code == 0);
    gs::app::RunOptions options;
    options.overrides.development = true;
    const auto config = gs::app::load_checked(options);
    REQUIRE(config);
    const auto& declared = config->tree->declared();
    CHECK(gs::app::compare_documented(read(GS_SOURCE_DIR "/etc/gameserver.toml"), declared) ==
          std::vector<std::string>{});
    CHECK(gs::app::compare_documented(defaults.output, declared) == std::vector<std::string>{});
    CHECK(defaults.output.find("\n# level = \"info\"\n") != std::string::npos);
}

TEST_CASE("bots and words that do not exist are refused", "[process][CLI-04]") {
    const auto scenario = run({GS_BINARY, "bots", "--scenario", "sleep"});
    CHECK(scenario.code == 2);
    CHECK(scenario.output ==
          "gameserver bots: there is no scenario 'sleep'; there are: echo, chat, profile, mixed, trade, arena, "
          "whisper\n");
    const auto word = run({GS_BINARY, "frobnicate"});
    CHECK(word.code == 2);
    CHECK(word.output ==
          "The following argument was not expected: frobnicate\nRun with --help for more information.\n");
    const auto nobody = run({GS_BINARY, "bots", "--count", "1", "--seconds", "1", "--login",
                             fmt::format("http://127.0.0.1:{}", free_port())});
    CHECK(nobody.code == 1);
    CHECK(nobody.output.find("errors       1\n") != std::string::npos);
}
