// Logins over https with the real executable.
#include <fstream>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "client/cpp/blocking.hpp"
#include "client/cpp/login.hpp"
#include "modules/echo/messages.hpp"
#include "tests/processes/server.hpp"
#include "tests/scenarios/self_signed.hpp"
#include "tests/scenarios/tls_socket.hpp"

using namespace gs;
using namespace gs::test;

namespace {

/// A server in development mode whose logins are https, with a certificate that signs itself.
struct HttpsServer {
    explicit HttpsServer(const std::string& owner = "first") {
        scenarios::write_self_signed(directory.file("login"), owner);
        server.emplace(directory.path() / "data",
                       std::vector<std::string>{"--set", "login.tls.certificate_file=" + certificate(), "--set",
                                                "login.tls.key_file=" + directory.file("login.key")});
    }
    [[nodiscard]] std::string certificate() const { return directory.file("login.pem"); }
    [[nodiscard]] std::string address() const { return server->login_url().substr(std::string{"http://"}.size()); }
    [[nodiscard]] std::string url() const { return "https://" + address(); }
    [[nodiscard]] std::string owner_now() const { return scenarios::TlsSocket{address()}.owner(); }

    ScratchDirectory directory;
    std::optional<Server> server;
};

std::vector<std::string> words(const std::string& data, const std::vector<std::string>& more) {
    auto all = Server::words(data, free_port(), free_port(), free_port());
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

double metric(const Server& server, const std::string& name) {
    std::istringstream page{http_get(server.admin_url() + "/metrics").body};
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with(name + " ")) return std::stod(line.substr(name.size()));
    }
    return -1;
}

}  // namespace

TEST_CASE("players log in over https and play", "[process][tls][MSG-06]") {
    HttpsServer https;
    https.server->process().wait_line("stop with Ctrl-C");
    const auto output = https.server->process().output();
    CHECK(output.find("players log in at   " + https.url() + "/v1/guest\n") != std::string::npos);
    CHECK(output.find("--login " + https.url()) != std::string::npos);

    const auto login = client::LoginClient{https.url(), https.certificate()}.guest().value();
    client::BlockingClient anna;
    CHECK(anna.connect(login.gateways.at(0).host, login.gateways.at(0).port, login.token).value().player ==
          login.player);
    CHECK(anna.request(echo::Echo{"over https"}).value().text == "over https");

    // Who does not know the certificate, or forgets the s, gets no token, and does no harm.
    const auto stranger = client::LoginClient{https.url()}.guest();
    REQUIRE_FALSE(stranger);
    CHECK(stranger.error().code() == Code::forbidden);
    const auto plain = client::LoginClient{https.server->login_url()}.guest();
    REQUIRE_FALSE(plain);
    CHECK(plain.error().code() == Code::unavailable);

    const auto report_file = https.directory.file("report.json");
    const auto played =
        run(bots(https.url(), report_file,
                 {"--count", "20", "--scenario", "echo", "--seconds", "1", "--login-ca", https.certificate()}));
    INFO(played.output);
    CHECK(played.code == 0);
    CHECK(read_report(report_file).at("players_in_most") == 20);
    const auto distrusted = run(bots(https.url(), report_file, {"--count", "1", "--seconds", "1"}));
    CHECK(distrusted.code == 1);
    CHECK(distrusted.output.find("forbidden: login: POST " + https.url() + "/v1/guest: SSL") != std::string::npos);
    CHECK(run({GS_BINARY, "bots", "--login", https.url(), "--login-ca", "no such file"}).code == 2);
}

TEST_CASE("a renewed certificate of the login is used without a restart, one that is wrong is not",
          "[process][tls][MSG-06]") {
    HttpsServer https;
    REQUIRE(https.owner_now() == "first");
    const auto before = metric(*https.server, "gameserver_login_certificate_expires_seconds");
    CHECK(before > 1'700'000'000);
    scenarios::write_self_signed(https.directory.file("login"), "second", 7200);
    wait_until("the second certificate", [&] { return https.owner_now() == "second"; });
    CHECK(metric(*https.server, "gameserver_login_certificate_expires_seconds") >= before + 3600);
    CHECK(client::LoginClient(https.url(), https.certificate()).guest().has_value());

    // Its key is another one's.
    scenarios::write_self_signed(https.directory.file("other"), "other");
    std::filesystem::rename(https.directory.file("other.key"), https.directory.file("login.key"));
    https.server->process().wait_line("the TLS certificate stays as it was");
    CHECK(https.owner_now() == "second");
    CHECK(client::LoginClient(https.url(), https.certificate()).guest().has_value());
}

TEST_CASE("a certificate of the login that cannot be used stops the start", "[process][tls][MSG-06][CLI-04]") {
    const ScratchDirectory directory;
    scenarios::write_self_signed(directory.file("one"), "one");
    scenarios::write_self_signed(directory.file("other"), "other");
    scenarios::write_self_signed(directory.file("old"), "old", -1);
    const auto start = [&](const std::string& certificate, const std::string& key) {
        auto more = std::vector<std::string>{"--set", "login.tls.certificate_file=" + directory.file(certificate)};
        if (!key.empty()) more.insert(more.end(), {"--set", "login.tls.key_file=" + directory.file(key)});
        return run(words(directory.file("data"), more));
    };
    const auto check = [&](const auto& ended, const std::string& text) {
        INFO(ended.output);
        CHECK(ended.code == 2);
        CHECK(ended.output.find(text) != std::string::npos);
    };
    check(start("one.pem", ""), "login.tls.certificate_file and tls.key_file go together: give both, or none");
    check(start("one.pem", "other.key"), "login.tls: " + directory.file("other.key") + " is not the key of");
    check(start("none.pem", "one.key"), "none.pem cannot be used: No such file");
    check(start("one.pem", "none.key"), "none.key cannot be used: No such file");
    check(start("old.pem", "old.key"), "login.tls: " + directory.file("old.pem") + " has expired");
}

TEST_CASE("outside of development mode the login has TLS or a loopback address", "[process][tls][MSG-06][CFG-01]") {
    const ScratchDirectory directory;
    const auto check = [&](const std::string& text) {
        std::ofstream{directory.file("c.toml")} << text;
        return run({GS_BINARY, "check-config", "--config", directory.file("c.toml")});
    };
    const auto plain = check("[login]\nhttp.address = \"192.0.2.1:7080\"\n");
    CHECK(plain.code == 2);
    INFO(plain.output);
    CHECK(plain.output.find("login.http.address has no encryption, so outside of development mode it must be a "
                            "loopback address behind a proxy that adds TLS; or set tls.certificate_file and "
                            "tls.key_file") != std::string::npos);
    const auto encrypted = check(
        "[login]\nhttp.address = \"192.0.2.1:7080\"\ntls.certificate_file = \"c.pem\"\ntls.key_file = \"c.key\"\n");
    INFO(encrypted.output);
    CHECK(encrypted.code == 0);
}
