// The JavaScript client kit against a real server: in Node over WebSocket, and as the page at /play in a browser.
#include <fstream>
#include <iostream>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "client/cpp/blocking.hpp"
#include "client/cpp/login.hpp"
#include "modules/chat/messages.hpp"
#include "tests/processes/server.hpp"
#include "tests/scenarios/self_signed.hpp"

using namespace gs;
using namespace gs::test;

namespace {

/// The words that run one of tests/javascript, bundled with the kit by the build.
std::vector<std::string> node(const std::string& script, const std::vector<std::string>& more) {
    std::vector<std::string> words{GS_NODE, fmt::format("{}/{}.mjs", GS_JAVASCRIPT_TESTS, script)};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

std::string read(const std::string& file) {
    std::ifstream stream{file};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

}  // namespace

TEST_CASE("the kit's messages are what the server's schema says", "[process][NEW-06]") {
    const auto printed = run({GS_BINARY, "schema", "--format=typescript"});
    CHECK(printed.code == 0);
    INFO("gameserver schema --format=typescript > src/client/js/generated/messages.ts");
    CHECK(printed.output == read(GS_SOURCE_DIR "/src/client/js/generated/messages.ts"));
    const auto json = run({GS_BINARY, "schema"});
    CHECK(json.code == 0);
    CHECK(json.output.starts_with("{\n  \"protocol\": 1,"));
    CHECK(run({GS_BINARY, "schema", "--format=xml"}).code == 2);
}

TEST_CASE("a client in Node loses its connection again and again and misses nothing",
          "[process][DEP-05][SES-07][NET-06]") {
    const ScratchDirectory directory;
    const Server server{directory.path() / "data", {"--set", "module.chat.lines_per_second=1000"}};
    const auto bot = run(node("session_bot", {server.login_url()}));
    INFO(bot.output);
    CHECK(bot.code == 0);
    CHECK(bot.output.find("ok: ") != std::string::npos);
}

TEST_CASE("a client in Node and one in C++ share a channel", "[process][DEP-05]") {
    const ScratchDirectory directory;
    const Server server{directory.path() / "data"};
    const auto login = client::LoginClient{server.login_url()}.guest().value();
    client::BlockingClient anna;
    std::vector<std::string> heard;
    anna.on<chat::Said>([&](const chat::Said& said) {
        heard.push_back(fmt::format("{} in {}: {}", said.line.number, said.channel, said.line.text));
    });
    anna.connect(login.gateways.at(0).host, login.gateways.at(0).port, login.token).value();
    anna.request(chat::Join{"lobby"}).value();
    Process bot{node("chat_bot", {server.login_url(), "lobby"})};
    wait_until("a line of the client in Node", [&] {
        anna.poll(std::chrono::milliseconds{20});
        return !heard.empty();
    });
    CHECK(heard == std::vector<std::string>{"1 in lobby: hello from Node \xe2\x9c\x93"});
    anna.request(chat::Say{"lobby", "hello from C++"}).value();
    bot.wait_line(fmt::format("heard 2 from {}: hello from C++", login.player));
    CHECK(bot.wait_exit() == 0);
}

TEST_CASE("two tabs of a browser open the page, hear each other, and come back when the server does",
          "[process][TOL-04][DEP-05]") {
    const ScratchDirectory directory;
    Server server{directory.path() / "data"};
    Process page{node("page", {server.login_url(), GS_CHROMIUM, directory.path().string(), GS_JAVASCRIPT_TESTS})};
    page.wait_line("ready: the server may be killed");
    server.kill_and_start_again();
    const auto code = page.wait_exit();
    INFO(page.output());
    CHECK(code == 0);
    CHECK(page.output().find("ok: ") != std::string::npos);
}

TEST_CASE("a tab of a browser plays over https and wss when the server has a certificate",
          "[process][NET-06][DEP-05][MSG-06]") {
    const ScratchDirectory directory;
    const auto certificate = (directory.path() / "site").string();
    scenarios::write_self_signed(certificate, "127.0.0.1");
    std::vector<std::string> more;
    for (const std::string role : {"gateway", "login"}) {
        more.insert(more.end(), {"--set", fmt::format("{}.tls.certificate_file={}.pem", role, certificate), "--set",
                                 fmt::format("{}.tls.key_file={}.key", role, certificate)});
    }
    const Server server{directory.path() / "data", more};
    const auto url = "https" + server.login_url().substr(4);
    const auto page = run(node("wss_page", {url, GS_CHROMIUM, directory.path().string()}));
    INFO(page.output);
    CHECK(page.code == 0);
    CHECK(page.output.find("ok: a tab over https and wss") != std::string::npos);
}

TEST_CASE("a client in Node logs in over https when it knows the authority", "[process][DEP-05][MSG-06]") {
    const ScratchDirectory directory;
    const auto certificate = (directory.path() / "login").string();
    scenarios::write_self_signed(certificate, "127.0.0.1");
    const Server server{directory.path() / "data",
                        {"--set", "login.tls.certificate_file=" + certificate + ".pem", "--set",
                         "login.tls.key_file=" + certificate + ".key"}};
    const auto url = "https" + server.login_url().substr(4);
    auto bot = node("chat_bot", {url, "lobby"});
    const auto stranger = run(bot);
    INFO(stranger.output);
    CHECK(stranger.code != 0);
    CHECK(stranger.output.find("unavailable") != std::string::npos);
    bot.insert(bot.begin(), {"env", "NODE_EXTRA_CA_CERTS=" + certificate + ".pem"});
    const auto login = client::LoginClient{url, certificate + ".pem"}.guest().value();
    client::BlockingClient anna;
    bool heard = false;
    anna.on<chat::Said>([&](const chat::Said& /*said*/) { heard = true; });
    anna.connect(login.gateways.at(0).host, login.gateways.at(0).port, login.token).value();
    anna.request(chat::Join{"lobby"}).value();
    Process friendly{bot};
    wait_until("a line of the client in Node", [&] {
        anna.poll(std::chrono::milliseconds{20});
        return heard;
    });
    anna.request(chat::Say{"lobby", "hello from C++"}).value();
    friendly.wait_line(fmt::format("from {}: hello from C++", login.player));
    CHECK(friendly.wait_exit() == 0);
}
