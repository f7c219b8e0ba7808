#pragma once
// `gameserver bots`: plays many clients against a running server, checks what each one receives, and reports.
// Loop: call it from the main thread; it handles Ctrl-C itself until it returns.
#include <chrono>
#include <string>
#include <vector>

namespace gs::bots {

struct BotOptions {
    std::size_t count = 100;
    std::string scenario = "mixed";
    std::chrono::milliseconds time{20'000};  ///< of play, after the last bot has started
    std::string login = "http://127.0.0.1:7080";
    std::string login_ca;                ///< PEM file, for https; empty: the authorities of the system
    std::string client_version = "cpp";  ///< that they say in their hello
    double rate = 1;                     ///< actions per second of each bot; 0: the next one at once
    double ramp = 500;                   ///< bots started per second
    std::uint64_t seed = 1;
    std::string json_file;    ///< the report; "-": standard output instead of the readable one
    std::string ledger_file;  ///< what the server confirmed, to compare with the database: see ledger.hpp
    /// Lost connections, requests without an answer and chat lines lost by a crash are no errors: bots resume their
    /// session, and log in anew when it is over.
    bool survive = false;
};

/// The names that `scenario` may have, each with a sentence about it.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> scenario_list();

/// Returns the exit code: 0 all expectations held, 1 one failed or nobody got in, 2 wrong use.
int run_bots(const BotOptions& options);

}  // namespace gs::bots
