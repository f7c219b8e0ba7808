#include "tests/sim/command_line.hpp"

#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdio>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/planted.hpp"
#include "tests/sim/simulation.hpp"

namespace gs::sim {

namespace {

constexpr std::size_t violations_max = 10;

volatile std::uint64_t running_seed = 0;

/// An assertion or a bad access of the product: say which seed it was.
extern "C" void on_crash(int signal) {
    char text[64];
    const auto* end = fmt::format_to(text, "\nseed {} ended with signal {}\n", std::uint64_t{running_seed}, signal);
    static_cast<void>(!write(STDERR_FILENO, text, static_cast<std::size_t>(end - text)));
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

void print(const std::string& text) {
    std::fputs((text + "\n").c_str(), stdout);
    std::fflush(stdout);
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>{Clock::now() - began}.count(); }

class Program {
public:
    Program(std::string name, std::vector<MakeWorkload> workloads)
        : name_{std::move(name)}, workloads_{std::move(workloads)} {}

    [[nodiscard]] int run(int argc, char** argv);

private:
    struct Arguments {
        std::uint64_t seed = 0, seeds = 100, from = 1;
        bool trace = false, log = false, planted = false, twice = false;
    };
    /// What many seeds came to.
    struct Sum {
        double virtual_seconds = 0;
        std::uint64_t commits = 0, runs = 0, same = 0;
        std::vector<std::uint64_t> violated{};
    };

    Outcome run_seed(std::uint64_t seed, Options options = {}) {
        running_seed = seed;
        return simulate(seed, options, workloads_);
    }
    void report_violation(std::uint64_t seed, const Outcome& outcome) const;
    int run_one();
    int run_many();
    void run_next(std::uint64_t seed, Sum& sum);
    int run_planted();

    std::string name_;
    std::vector<MakeWorkload> workloads_;
    Arguments arguments_;
};

void Program::report_violation(std::uint64_t seed, const Outcome& outcome) const {
    print(
        fmt::format("\n{}\nseed {} violates an invariant after {:.3f} virtual seconds:\n  {}\n{}\nreplay: {} --seed {}",
                    outcome.last_events, seed, outcome.virtual_seconds, outcome.violation, outcome.plan, name_, seed));
}

int Program::run_one() {
    const auto seed = arguments_.seed;
    const auto outcome = run_seed(seed, {arguments_.trace, arguments_.log});
    if (!outcome.violation.empty()) report_violation(seed, outcome);
    print(fmt::format("seed {}: {}; {:.0f} virtual seconds, trace hash {:016x}{}", seed, outcome.plan,
                      outcome.virtual_seconds, outcome.hash, outcome.violation.empty() ? "; all held" : ""));
    return outcome.violation.empty() ? 0 : 1;
}

void Program::run_next(std::uint64_t seed, Sum& sum) {
    const auto outcome = run_seed(seed);
    ++sum.runs;
    sum.virtual_seconds += outcome.virtual_seconds;
    sum.commits += outcome.commits;
    if (!outcome.violation.empty()) {
        report_violation(seed, outcome);
        sum.violated.push_back(seed);
    }
    if (!arguments_.twice) return;
    const auto again = run_seed(seed);
    ++sum.runs;
    sum.virtual_seconds += again.virtual_seconds;
    if (again.hash == outcome.hash) {
        ++sum.same;
    } else {
        print(fmt::format("seed {}: trace hash {:016x}, and {:016x} the second time", seed, outcome.hash, again.hash));
    }
}

int Program::run_many() {
    const auto began = Clock::now();
    auto told = began;
    Sum sum;
    std::uint64_t done = 0;
    const auto progress = [&] {
        const auto took = seconds_since(began);
        print(fmt::format("{}/{} seeds, {:.1f} seeds/s, {:.0f} virtual seconds per second, {} commits, {} violations",
                          done, arguments_.seeds, static_cast<double>(sum.runs) / took, sum.virtual_seconds / took,
                          sum.commits, sum.violated.size()));
    };
    while (done < arguments_.seeds && sum.violated.size() < violations_max) {
        run_next(arguments_.from + done, sum);
        ++done;
        if (seconds_since(told) < 1) continue;
        told = Clock::now();
        progress();
    }
    progress();
    if (arguments_.twice) print(fmt::format("same seed, same trace hash: {} of {}", sum.same, done));
    print(sum.violated.empty() ? "all invariants held"
                               : fmt::format("violated by the seeds {}", fmt::join(sum.violated, " ")));
    return sum.violated.empty() && (!arguments_.twice || sum.same == done) ? 0 : 1;
}

#ifdef GS_PLANTED_BUGS
int Program::run_planted() {
    struct Bug {
        PlantedBug bug;
        const char *name, *mistake;
    };
#define GS_BUG(name, mistake) {PlantedBug::name, #name, mistake},
    constexpr Bug bugs[] = {GS_EACH_PLANTED_BUG(GS_BUG)};
#undef GS_BUG
    std::size_t missed = 0;
    for (const auto& [bug, name, mistake] : bugs) {
        planted_bug = bug;
        std::uint64_t tried = 0;
        std::string found;
        while (found.empty() && tried < arguments_.seeds) found = run_seed(arguments_.from + tried++).violation;
        if (found.empty()) ++missed;
        print(fmt::format("{}: {}\n  {}", name, mistake,
                          found.empty() ? fmt::format("NOT FOUND in {} seeds", tried)
                                        : fmt::format("found by seed {}: {}", arguments_.from + tried - 1, found)));
    }
    print(fmt::format("{} of {} planted bugs were found", std::size(bugs) - missed, std::size(bugs)));
    return missed == 0 ? 0 : 1;
}
#else
int Program::run_planted() {
    print("this build has no planted bugs; use: ./dev sim --planted");
    return 2;
}
#endif

int Program::run(int argc, char** argv) {
    CLI::App app{"Runs the whole cluster in one thread on virtual time, with faults drawn from a seed."};
    auto* one = app.add_option("--seed", arguments_.seed, "run this seed only and print its trace hash");
    app.add_option("--seeds", arguments_.seeds, "how many seeds to run; with --planted, at most so many for each bug");
    app.add_option("--from", arguments_.from, "the first of them");
    app.add_flag("--twice", arguments_.twice, "run each of them twice and compare the trace hashes");
    app.add_flag("--trace", arguments_.trace, "with --seed: print every event");
    app.add_flag("--log", arguments_.log, "with --seed: print the log lines of the nodes");
    app.add_flag("--planted", arguments_.planted, "show for each planted bug after how many seeds it is found");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    for (const auto signal : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(signal, on_crash);
    if (arguments_.planted) return run_planted();
    return one->count() > 0 ? run_one() : run_many();
}

}  // namespace

int run(int argc, char** argv, std::vector<MakeWorkload> workloads) {
    return Program{argv[0], std::move(workloads)}.run(argc, argv);
}

}  // namespace gs::sim
