// The tutorial's promise: a breakpoint in a module's handler stops the server that plays.
#include <signal.h>

#include <catch2/catch.hpp>

#include "tests/processes/server.hpp"

using namespace gs::test;

TEST_CASE("gdb stops in the handler of a module", "[process]") {
    if (run({"gdb", "--version"}).code != 0) {
        WARN("gdb is not installed (packaging/debian/control names it): nothing is tested here");
        return;
    }
    const ScratchDirectory directory;
    const auto admin = free_port(), login = free_port();
    std::vector<std::string> words{"gdb", "-nx", "-batch"};
    for (const char* command : {"set debuginfod enabled off", "set width 0", "set startup-with-shell off",
                                "set breakpoint pending on", "break echo::EchoModule::echo", "run", "bt 3", "kill"}) {
        words.insert(words.end(), {"-ex", command});
    }
    words.emplace_back("--args");
    for (const auto& word : Server::words(directory.path() / "data", free_port(), login, admin)) words.push_back(word);
    Process debugger{words};
    debugger.wait_line("is ready");
    Process player{bots("http://127.0.0.1:" + std::to_string(login), directory.file("report.json"),
                        {"--count", "1", "--scenario", "echo", "--rate", "50", "--seconds", "60"})};
    CHECK(debugger.wait_exit() == 0);
    INFO(debugger.output());
    CHECK(debugger.output().find("hit Breakpoint 1, echo::EchoModule::echo (this=") != std::string::npos);
    CHECK(debugger.output().find("message=...) at ") != std::string::npos);
    CHECK(debugger.output().find("#1  ") != std::string::npos);
    CHECK(debugger.output().find("gs::PlainHandler<echo::EchoModule, echo::Echo, gs::session::Player&>::") !=
          std::string::npos);
}
