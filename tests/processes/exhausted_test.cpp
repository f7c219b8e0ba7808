// A gateway that may not open any more files, or for which there is no more memory.
#include <fmt/format.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <catch2/catch.hpp>

#include <fstream>
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

/// What a process has in memory.
std::size_t resident_mib(const Process& process) {
    std::ifstream status{fmt::format("/proc/{}/status", process.pid())};
    for (std::string word; status >> word;) {
        std::size_t kib = 0;
        if (word == "VmRSS:" && status >> kib) return kib / 1024;
    }
    throw std::runtime_error{"the process has no memory"};
}

/// Bots who log in and play one second.
void check_played(const ScratchDirectory& directory, std::uint16_t login, const Process& server) {
    const auto played = run(bots(fmt::format("http://127.0.0.1:{}", login), directory.file("report.json"),
                                 {"--count", "20", "--seconds", "1", "--scenario", "echo"}));
    INFO(played.output << server.output());
    CHECK(played.code == 0);
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
    check_played(directory, login, server);
}

#ifndef GS_SANITIZED  // their allocators give nothing back
TEST_CASE("out of memory the gateway pauses accepting, says so, and goes on when there is some",
          "[process][NET-14][OPS-02]") {
    constexpr std::size_t hello_kib = 60;
    const ScratchDirectory directory;
    const auto gateway = free_port(), login = free_port(), admin = free_port();
    const auto words = [&](std::size_t limit_mib) {
        auto all = Server::words(directory.path() / "data", gateway, login, admin);
        for (const auto& setting :
             {fmt::format("runtime.memory_mib_max={}", limit_mib), std::string{"runtime.memory_alarm_percent=80"},
              // Who begins a long hello and does not end it stays for as long as the test takes.
              std::string{"gateway.hello_timeout_seconds=3600"}, std::string{"gateway.frame_timeout_seconds=3600"},
              fmt::format("gateway.frame_bytes_max_before_enter={}", hello_kib * 1024)}) {
            all.emplace_back("--set");
            all.push_back(setting);
        }
        return all;
    };
    std::size_t used_mib = 0;
    {
        Process server{words(0)};
        server.wait_line("is ready");
        check_played(directory, login, server);  // so that what is made at first use is there
        used_mib = resident_mib(server);
    }
    const auto spare_mib = std::max<std::size_t>(8, used_mib / 8);
    Process server{words((used_mib + spare_mib) * 100 / 95)};
    server.wait_line("is ready");
    const auto url = fmt::format("http://127.0.0.1:{}", admin);
    const auto pauses = [&] { return metric(url, "gameserver_gateway_accept_pauses_total"); };
    check_played(directory, login, server);
    CHECK(pauses() == 0);

    asio::io_context io;
    std::vector<asio::ip::tcp::socket> strangers;
    const auto begun = std::string{"\0\xf0\0\0GSP1", 8} + std::string((hello_kib - 1) * 1024, 'x');
    while (pauses() == 0) {
        REQUIRE(strangers.size() < 40 * spare_mib);
        for (int more = 0; more < 20; ++more) {
            strangers.emplace_back(io).connect({asio::ip::address_v4::loopback(), gateway});
            asio::write(strangers.back(), asio::buffer(begun));
        }
        wait_until("they are accepted, or wait", [&] {
            return metric(url, "gameserver_gateway_connections") == double(strangers.size()) || pauses() > 0;
        });
    }
    INFO(strangers.size() << " strangers, " << used_mib << " and then " << resident_mib(server) << " MiB");
    CHECK(strangers.size() * hello_kib > 2 * 1024);
    server.wait_line("the limit of this process; gateway.memory_percent_max is 95");
    CHECK(http_get(url + "/healthz").status == 200);
    const auto ready = http_get(url + "/readyz");
    CHECK(ready.status == 503);
    CHECK(ready.body == "role gateway accepts nobody, as memory runs out\n");

    const auto before = server.line_count();
    strangers.clear();
    strangers.emplace_back(io).connect({asio::ip::address_v4::loopback(), gateway});
    server.wait_line("again", before);
    wait_until("it is ready", [&] { return http_get(url + "/readyz").status == 200; });
    check_played(directory, login, server);
}
#endif
