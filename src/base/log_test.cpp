#include "base/log.hpp"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include "base/json_tree.hpp"
#include "tests/scenarios/captured_log.hpp"

using namespace gs;
using scenarios::Captured;
using namespace std::string_literals;

namespace {

/// Standard error is a pipe that nobody reads and that is full.
class StuckPipe {
public:
    StuckPipe() : saved_{dup(STDERR_FILENO)} {
        REQUIRE(pipe(ends_) == 0);
        fcntl(ends_[1], F_SETFL, O_NONBLOCK);
        const std::string filling(65536, 'x');
        while (write(ends_[1], filling.data(), filling.size()) > 0) {
        }
        fcntl(ends_[1], F_SETFL, 0);
        dup2(ends_[1], STDERR_FILENO);
    }
    StuckPipe(const StuckPipe&) = delete;
    StuckPipe& operator=(const StuckPipe&) = delete;
    ~StuckPipe() {
        dup2(saved_, STDERR_FILENO);
        for (const auto end : {ends_[0], ends_[1], saved_}) close(end);
    }

private:
    int saved_;
    int ends_[2]{};
};

int formatted = 0;
struct Counting {};

}  // namespace

template <>
struct fmt::formatter<Counting> : fmt::formatter<std::string_view> {
    auto format(const Counting& /*value*/, format_context& context) const {
        ++formatted;
        return context.out();
    }
};

TEST_CASE("a line has time level and message", "[base][log]") {
    const Captured captured;
    log::info("before {}", "start");
    log::start({});
    log::info("gateway listening on {}:{}", "127.0.0.1", 7000);
    log::error("broken");
    log::stop();
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 3);
    CHECK_THAT(lines[0], Catch::Matches(R"(\d\d:\d\d:\d\d\.\d{3} info  before start)"));
    CHECK_THAT(lines[1], Catch::Matches(R"(\d\d:\d\d:\d\d\.\d{3} info  gateway listening on 127\.0\.0\.1:7000)"));
    CHECK_THAT(lines[2], Catch::Matches(R"(\d\d:\d\d:\d\d\.\d{3} error broken)"));
}

TEST_CASE("an argument cannot add a line or steer the terminal", "[base][log]") {
    const Captured captured;
    log::start({});
    log::info("player {} entered", "x\n20:14:18.123 info  admin entered\x1b[2J\r");
    log::stop();
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(R"(player x\n20:14:18.123 info  admin entered\x1b[2J\r entered)") != std::string::npos);
}

TEST_CASE("a JSON line is JSON whatever it says", "[base][log]") {
    const Captured captured;
    log::start({.format = log::Format::json, .node = "game \"1\""});
    const auto hostile = "quote \" backslash \\ newline \n zero \0 é 😀"s;
    log::warn("{}", hostile);
    log::warn("{}", "not UTF-8 \xff");
    log::stop();
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 2);
    const auto first = parse_json(lines[0]);
    CHECK(first["level"] == "warn");
    CHECK(first["node"] == "game \"1\"");
    CHECK(first["message"] == hostile);
    CHECK_THAT(first["time"].get<std::string>(), Catch::Matches(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"));
    CHECK(parse_json(lines[1])["message"] == "not UTF-8 \xef\xbf\xbd");
}

TEST_CASE("what is below the level is not even formatted", "[base][log]") {
    const Captured captured;
    log::start({.level = log::Level::warn});
    log::info("{}", Counting{});
    CHECK(formatted == 0);
    log::set_level(log::Level::debug);
    log::debug("{}", Counting{});
    CHECK(formatted == 1);
    log::set_level(log::Level::off);
    log::error("never");
    log::stop();
    log::set_level(log::Level::info);
    CHECK(captured.lines().size() == 1);
}

TEST_CASE("a message too long is cut", "[base][log]") {
    const Captured captured;
    log::start({});
    log::info("{}", std::string(100'000, 'x'));
    log::stop();
    const auto lines = captured.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].size() < log::message_bytes_max + 40);
    CHECK(lines[0].ends_with("x…"));
}

TEST_CASE("log_pipe_stuck_does_not_block", "[base][log]") {
    using Clock = std::chrono::steady_clock;
    const auto dropped_before = log::dropped();
    const auto begin = Clock::now();
    auto called = begin;
    {
        const StuckPipe stuck;
        log::start({.queue_lines = 1024});
        for (int index = 0; index < 100'000; ++index) log::info("line {}", index);
        called = Clock::now();
        log::stop();
    }
    CHECK(called - begin < std::chrono::seconds{5});
    CHECK(Clock::now() - called < std::chrono::seconds{5});
    CHECK(log::dropped() - dropped_before == 100'000);
}

TEST_CASE("many threads write whole lines", "[base][log]") {
    const Captured captured;
    log::start({.queue_lines = 10'000});
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer) {
        writers.emplace_back([writer] {
            for (int index = 0; index < 1000; ++index) log::info("writer {} line {} end", writer, index);
        });
    }
    for (auto& writer : writers) writer.join();
    log::stop();
    const auto lines = captured.lines();
    CHECK(lines.size() == 4000);
    for (const auto& line : lines) CHECK(line.ends_with(" end"));
}

TEST_CASE("the log can go to a file and says when it cannot", "[base][log]") {
    const auto path = std::filesystem::temp_directory_path() / fmt::format("gs-log-test-{}", getpid());
    log::start({.file = path.string()});
    log::info("in the file");
    log::stop();
    std::string line;
    std::getline(std::ifstream{path} >> std::ws, line);
    std::filesystem::remove(path);
    CHECK(line.ends_with("info  in the file"));
    CHECK_THROWS_WITH(log::start({.file = "/dev/null/x"}),
                      Catch::Contains("log file \"/dev/null/x\" cannot be written"));
}

TEST_CASE("levels are read from their names", "[base][log]") {
    CHECK(log::parse_level("warn").value() == log::Level::warn);
    CHECK(log::parse_level("loud").error().message() ==
          "log level \"loud\" is unknown; use debug, info, warn, error or off");
}
