// gs_sim: runs seeds of the simulation; see docs/reliability.md. Exit codes: 0 all held, 1 a violation, 2 wrong use.
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/planted.hpp"
#include "tests/sim/simulation.hpp"

namespace {

using gs::sim::Outcome;

struct Arguments {
    std::uint64_t seed = 0, seeds = 100, from = 1;
    bool trace = false, log = false, planted = false;
};

volatile std::uint64_t running_seed = 0;

/// An assertion or a bad access of the product: say which seed it was.
extern "C" void on_crash(int signal) {
    char text[64];
    const auto* end = fmt::format_to(text, "\nseed {} ended with signal {}\n", std::uint64_t{running_seed}, signal);
    static_cast<void>(!write(STDERR_FILENO, text, static_cast<std::size_t>(end - text)));
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

Outcome run_seed(std::uint64_t seed, gs::sim::Options options = {}) {
    running_seed = seed;
    return gs::sim::simulate(seed, options);
}

void print(const std::string& text) {
    std::fputs((text + "\n").c_str(), stdout);
    std::fflush(stdout);
}

void report_violation(std::uint64_t seed, const Outcome& outcome) {
    print(
        fmt::format("\n{}\nseed {} violates an invariant after {:.3f} virtual seconds:\n  {}\n{}\nreplay: ./dev sim "
                    "--seed {}",
                    outcome.last_events, seed, outcome.virtual_seconds, outcome.violation, outcome.plan, seed));
}

int run_one(const Arguments& arguments) {
    const auto outcome = run_seed(arguments.seed, {arguments.trace, arguments.log});
    if (!outcome.violation.empty()) report_violation(arguments.seed, outcome);
    print(fmt::format("seed {}: {}; {:.0f} virtual seconds, trace hash {:016x}{}", arguments.seed, outcome.plan,
                      outcome.virtual_seconds, outcome.hash, outcome.violation.empty() ? "; all held" : ""));
    return outcome.violation.empty() ? 0 : 1;
}

double seconds_since(std::chrono::steady_clock::time_point began) {
    return std::chrono::duration<double>{std::chrono::steady_clock::now() - began}.count();
}

int run_many(const Arguments& arguments) {
    const auto began = std::chrono::steady_clock::now();
    auto told = began;
    double virtual_seconds = 0;
    std::uint64_t commits = 0;
    const auto progress = [&](std::uint64_t done) {
        const auto took = seconds_since(began);
        print(fmt::format("{}/{} seeds, {:.1f} seeds/s, {:.0f} virtual seconds per second, {} commits", done,
                          arguments.seeds, static_cast<double>(done) / took, virtual_seconds / took, commits));
    };
    for (std::uint64_t done = 0; done < arguments.seeds; ++done) {
        const auto seed = arguments.from + done;
        const auto outcome = run_seed(seed);
        virtual_seconds += outcome.virtual_seconds;
        commits += outcome.commits;
        if (!outcome.violation.empty()) {
            report_violation(seed, outcome);
            return 1;
        }
        if (seconds_since(told) >= 1) {
            told = std::chrono::steady_clock::now();
            progress(done + 1);
        }
    }
    progress(arguments.seeds);
    print("all invariants held");
    return 0;
}

#ifdef GS_PLANTED_BUGS
constexpr std::pair<gs::PlantedBug, const char*> bugs[] = {
    {gs::PlantedBug::skip_epoch_check, "skip_epoch_check"},
    {gs::PlantedBug::accept_old_sequence, "accept_old_sequence"},
    {gs::PlantedBug::confirm_before_commit, "confirm_before_commit"},
    {gs::PlantedBug::lost_unknown, "lost_unknown"},
    {gs::PlantedBug::early_reply, "early_reply"},
    {gs::PlantedBug::delete_by_player, "delete_by_player"},
    {gs::PlantedBug::kick_before_epoch, "kick_before_epoch"},
    {gs::PlantedBug::grant_before_rebuild, "grant_before_rebuild"},
    {gs::PlantedBug::stale_push, "stale_push"},
    {gs::PlantedBug::forgotten_undo, "forgotten_undo"},
    {gs::PlantedBug::unbounded_queue, "unbounded_queue"},
    {gs::PlantedBug::reused_numbers, "reused_numbers"},
    {gs::PlantedBug::forgotten_mark, "forgotten_mark"},
};

int run_planted(const Arguments& arguments) {
    int missed = 0;
    for (const auto& [bug, name] : bugs) {
        gs::planted_bug = bug;
        std::uint64_t tried = 0;
        std::string found;
        while (found.empty() && tried < arguments.seeds) found = run_seed(arguments.from + tried++).violation;
        if (found.empty()) ++missed;
        print(fmt::format("{:<22} {}", name,
                          found.empty() ? fmt::format("NOT FOUND in {} seeds", tried)
                                        : fmt::format("found by seed {}: {}", arguments.from + tried - 1, found)));
    }
    print(missed == 0 ? "every planted bug was found" : fmt::format("{} planted bugs were not found", missed));
    return missed == 0 ? 0 : 1;
}
#else
int run_planted(const Arguments& /*arguments*/) {
    print("this build has no planted bugs; use: ./dev sim --planted");
    return 2;
}
#endif

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Runs the whole cluster in one thread on virtual time, with faults drawn from a seed."};
    auto* one = app.add_option("--seed", arguments.seed, "run this seed only and print its trace hash");
    app.add_option("--seeds", arguments.seeds, "how many seeds to run; with --planted, at most so many for each bug");
    app.add_option("--from", arguments.from, "the first of them");
    app.add_flag("--trace", arguments.trace, "with --seed: print every event");
    app.add_flag("--log", arguments.log, "with --seed: print the log lines of the nodes");
    app.add_flag("--planted", arguments.planted, "show for each planted bug after how many seeds it is found");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    for (const auto signal : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(signal, on_crash);
    if (arguments.planted) return run_planted(arguments);
    return one->count() > 0 ? run_one(arguments) : run_many(arguments);
}
