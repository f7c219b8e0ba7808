// A gateway that may not open any more files.
#include <fmt/format.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include <regex>

#include "tests/processes/server.hpp"

using namespace gs::test;

namespace {

constexpr std::size_t files_max = 200;

double metric(const std::string& admin, const std::string& name) {
    const auto page = http_get(admin + "/metrics").body;
    std::smatch found;
    return std::regex_search(page, found, std::regex{"\\n" + name + " ([0-9.e+]+)"}) ? std::stod(found[1]) : -1;
}

}  // namespace

TEST_CASE("out of files the gateway pauses accepting, says so, and goes on when some are free", "[process][NET-14]") {
    const ScratchDirectory directory;
    const auto gateway = free_port(), login = free_port(), admin = free_port();
    std::vector<std::string> words{"sh", "-c", fmt::format("ulimit -n {}; exec \"$@\"", files_max), "sh"};
    for (const auto& word : Server::words(directory.path() / "data", gateway, login, admin)) words.push_back(word);
    // Who says nothing stays connected for as long as the test takes.
    for (const auto* word : {"--set", "gateway.hello_timeout_seconds=3600"}) words.emplace_back(word);
    Process server{words};
    server.wait_line("is ready");
    const auto url = fmt::format("http://127.0.0.1:{}", admin);
    const auto* const pauses = "gameserver_gateway_accept_pauses_total";
    CHECK(metric(url, pauses) == 0);

    asio::io_context io;
    std::vector<asio::ip::tcp::socket> strangers;
    for (std::size_t number = 0; number < files_max; ++number) {
        strangers.emplace_back(io).connect({asio::ip::address_v4::loopback(), gateway});
    }
    server.wait_line("pauses: all files that the system allows are open");
    // The rest of the process still has files: its metrics can be read.
    wait_until("the metric shows it", [&] { return metric(url, pauses) > 0; });
    CHECK(metric(url, "gameserver_gateway_connections") > 100);
    CHECK(http_get(url + "/healthz").status == 200);

    const auto before = server.line_count();
    strangers.clear();
    strangers.emplace_back(io).connect({asio::ip::address_v4::loopback(), gateway});
    server.wait_line("again", before);
    const auto report = directory.file("report.json");
    const auto played = run(bots(fmt::format("http://127.0.0.1:{}", login), report,
                                 {"--count", "20", "--seconds", "1", "--scenario", "echo"}));
    INFO(played.output << server.output());
    CHECK(played.code == 0);
}
