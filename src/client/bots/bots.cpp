#include "client/bots/bots.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "client/bots/progress.hpp"
#include "client/bots/run.hpp"
#include "client/bots/scenario.hpp"

namespace gs::bots {

namespace {

constexpr std::size_t other_files = 64;  // that the process has open besides the bots' sockets

void require_open_files(std::size_t count) {
    const auto wanted = count + other_files;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
    const auto allowed = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min<rlim_t>(wanted, limit.rlim_max);
    if (limit.rlim_cur >= wanted && ::setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
    throw Error{Code::invalid,
                "{} bots need {} open files, but this process may have {} (hard limit {}). Raise it with `ulimit -n "
                "{}` or use at "
                "most --count {}",
                count,
                wanted,
                allowed,
                limit.rlim_max,
                wanted,
                limit.rlim_max > other_files ? limit.rlim_max - other_files : 0};
}

void check(const BotOptions& options) {
    if (find_scenario(options.scenario) == nullptr) {
        std::string names;
        for (const auto& scenario : scenarios()) names += (names.empty() ? "" : ", ") + std::string{scenario.name};
        throw Error{Code::invalid, "there is no scenario '{}'; there are: {}", options.scenario, names};
    }
    if (options.count == 0) throw Error{Code::invalid, "--count is 0; at least one bot is needed"};
    if (options.rate < 0 || options.ramp < 0) throw Error{Code::invalid, "--rate and --ramp cannot be negative"};
    if (!options.login.starts_with("http://") && !options.login.starts_with("https://")) {
        throw Error{Code::invalid, "--login is '{}'; expected an address such as http://127.0.0.1:7080", options.login};
    }
    require_open_files(options.count);
}

void write_report(const BotOptions& options, const Run& run) {
    if (options.json_file == "-") {
        std::fputs(json_report(run).c_str(), stdout);
        return;
    }
    std::fputs(readable_report(run).c_str(), stdout);
    if (options.json_file.empty()) return;
    std::ofstream file{options.json_file, std::ios::trunc};
    file << json_report(run);
    file.close();
    if (!file) throw Error{Code::invalid, "cannot write the report {}: {}", options.json_file, std::strerror(errno)};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> scenario_list() {
    std::vector<std::pair<std::string, std::string>> list;
    for (const auto& scenario : scenarios()) list.emplace_back(scenario.name, scenario.about);
    return list;
}

int run_bots(const BotOptions& options) {
    try {
        check(options);
        Run run{options};
        run.play();
        write_report(options, run);
        std::fflush(stdout);
        return run.statistics.errors == 0 && run.statistics.players_in_most > 0 ? 0 : 1;
    } catch (const Error& error) {
        fmt::print(stderr, "gameserver bots: {}\n", error.message());
        return error.code() == Code::invalid ? 2 : 1;
    }
}

}  // namespace gs::bots
