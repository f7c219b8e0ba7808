// Encrypted connections with the real executable.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "base/crypto/certificate.hpp"
#include "client/cpp/blocking.hpp"
#include "client/cpp/login.hpp"
#include "modules/echo/messages.hpp"
#include "tests/processes/server.hpp"

using namespace gs;
using namespace gs::test;

namespace {

struct Ports {
    std::uint16_t gateway = free_port(), login = free_port(), admin = free_port();
    [[nodiscard]] std::string login_url() const { return fmt::format("http://127.0.0.1:{}", login); }
};

std::vector<std::string> words(const std::string& data, const Ports& ports, const std::vector<std::string>& more) {
    auto all = Server::words(data, ports.gateway, ports.login, ports.admin);
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

void check_bots(const Ports& ports, const ScratchDirectory& directory) {
    const auto report_file = directory.file("report.json");
    const auto played =
        run(bots(ports.login_url(), report_file, {"--count", "50", "--scenario", "mixed", "--seconds", "2"}));
    INFO(played.output);
    CHECK(played.code == 0);
    const auto report = read_report(report_file);
    CHECK(report.at("errors") == 0);
    CHECK(report.at("players_in_most") == 50);
    CHECK(report.at("requests") > 50);
}

}  // namespace

TEST_CASE("bots play encrypted when the gateway says so and nobody tells them", "[process][noise][MSG-06]") {
    const ScratchDirectory directory;
    const Ports ports;
    Process server{words(directory.file("data"), ports, {"--set", "gateway.tcp.security=noise"})};
    server.wait_line("is ready");
    check_bots(ports, directory);

    // A client without roots is told what it lacks; one with the roots of login plays.
    const auto login = client::LoginClient{ports.login_url()}.guest().value();
    REQUIRE(login.gateways.size() == 1);
    REQUIRE(login.gateways[0].roots.size() == 1);
    CHECK(login.gateways[0].roots[0].id() == load_public_key(directory.file("data/zone.pub")).value().id());
    client::BlockingClient plain;
    const auto refused = plain.connect("127.0.0.1", ports.gateway, login.token);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message(), Catch::Contains("speaks encrypted only"));

    // Restarted, it shows the same certificate.
    const auto before = load_certificate(directory.file("data/gateway.cert")).value();
    server.send_signal(SIGTERM);
    CHECK(server.wait_exit() == 0);
    Process again{words(directory.file("data"), ports, {"--set", "gateway.tcp.security=noise"})};
    again.wait_line("is ready");
    CHECK(load_certificate(directory.file("data/gateway.cert")).value().certificate == before.certificate);
    struct stat status {};
    REQUIRE(::stat(directory.file("data/gateway.key").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
}

TEST_CASE("in development mode a loopback listener is plain unless it is told otherwise", "[process][noise][MSG-06]") {
    const ScratchDirectory directory;
    const Server server{directory.path() / "data"};
    const auto login = client::LoginClient{server.login_url()}.guest().value();
    CHECK(login.gateways[0].roots.empty());
    client::BlockingClient plain;
    CHECK(plain.connect(login.gateways[0].host, login.gateways[0].port, login.token));
}

TEST_CASE("outside of development mode gateways encrypt with a certificate of the zone", "[process][noise][MSG-06]") {
    const ScratchDirectory directory;
    const auto in_directory = [&](const std::vector<std::string>& command) {
        auto all = command;
        all.insert(all.begin(), GS_BINARY);
        return run(all, directory.path().string());
    };
    std::ofstream{directory.file("c.toml")} << "";
    REQUIRE(in_directory({"keygen", "--out", "data"}).code == 0);
    const Ports ports;
    const auto start = [&] { return run(words("data", ports, {"--config", "c.toml"}), directory.path().string()); };
    const auto without = start();
    INFO(without.output);
    CHECK(without.code == 2);
    CHECK(without.output.find("gameserver: the gateway cannot encrypt: cannot open key file data/gateway.key: No such "
                              "file or directory. Make key and certificate with: gameserver certify gateway --name "
                              "NAME") != std::string::npos);

    // Of another zone.
    REQUIRE(in_directory({"certify", "gateway", "--name", "gw-1", "--zone", "other", "--zone-key", "data/zone.key",
                          "--out", "data"})
                .code == 0);
    const auto other = start();
    CHECK(other.code == 2);
    CHECK_THAT(other.output, Catch::Contains("the certificate is for zone \"other\"; this is zone \"default\""));

    const auto certified = in_directory(
        {"certify", "gateway", "--name", "gw-1", "--days", "30", "--zone-key", "data/zone.key", "--out", "data"});
    CHECK(certified.code == 0);
    CHECK(certified.output ==
          "gw-1 of zone default is certified for 30 days:\n  data/gateway.key  secret, for that node only\n  "
          "data/gateway.cert\n");
    Process server{words("data", ports, {"--config", "c.toml"}), directory.path().string()};
    server.wait_line("gateway listens on 127.0.0.1:" + std::to_string(ports.gateway) + " (encrypted)");
    server.wait_line("is ready");
    check_bots(ports, directory);
}

TEST_CASE("certify says what it needs", "[process][noise][MSG-06]") {
    const ScratchDirectory directory;
    const auto in_directory = [&](const std::vector<std::string>& command) {
        auto all = command;
        all.insert(all.begin(), {GS_BINARY, "certify"});
        return run(all, directory.path().string());
    };
    const auto no_root = in_directory({"gateway", "--name", "gw-1"});
    CHECK(no_root.code == 2);
    CHECK(no_root.output == "gameserver: cannot open key file zone.key: No such file or directory\n");
    CHECK(in_directory({"gateway"}).code == 2);
    CHECK(in_directory({"center", "--name", "c"}).code == 2);
    CHECK(in_directory({"gateway", "--name", "gw-1", "--days", "0"}).code == 2);
}

TEST_CASE("outside of development mode only a loopback address may be plain", "[process][noise][MSG-06]") {
    const ScratchDirectory directory;
    const auto check = [&](const std::string& address) {
        std::ofstream{directory.file("c.toml")} << "[gateway.tcp]\naddress = \"" << address
                                                << "\"\nsecurity = \"none\"\n";
        return run({GS_BINARY, "check-config", "--config", "c.toml"}, directory.path().string());
    };
    CHECK(check("127.0.0.1:7000").code == 0);
    const auto open = check("0.0.0.0:7000");
    CHECK(open.code == 2);
    CHECK(open.output ==
          "c.toml:3:12: gateway.tcp.security must be \"noise\" outside of development mode, unless tcp.address is a "
          "loopback one\n");
}
