#include "client/bots/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/json_tree.hpp"

#include "client/bots/run.hpp"

namespace gs::bots {

using std::chrono::microseconds;

namespace {

constexpr auto terminal_period = std::chrono::milliseconds{500};
constexpr auto plain_period = std::chrono::milliseconds{2000};
constexpr std::size_t columns = 79;

std::string text_of(microseconds duration) {
    const auto us = static_cast<double>(duration.count());
    if (us < 1000) return fmt::format("{} us", duration.count());
    if (us < 1'000'000) return fmt::format("{:.1f} ms", us / 1000);
    return fmt::format("{:.2f} s", us / 1'000'000);
}

double seconds_of(std::chrono::steady_clock::duration duration) {
    return std::chrono::duration<double>{duration}.count();
}

double rate_of(std::uint64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

std::string plural(std::uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

Progress::Progress(Run& run) : run_{run}, terminal_{::isatty(STDERR_FILENO) == 1} {}

std::chrono::milliseconds Progress::period() const { return terminal_ ? terminal_period : plain_period; }

void Progress::erase() {
    if (lines_shown_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", lines_shown_);
    lines_shown_ = 0;
}

void Progress::show() {
    const auto now = std::chrono::steady_clock::now();
    const auto& all = run_.statistics;
    const auto since = seconds_of(now - shown_at_);
    const auto requests = rate_of(all.requests - requests_before_, since);
    const auto pushes = rate_of(all.pushes - pushes_before_, since);
    requests_before_ = all.requests;
    pushes_before_ = all.pushes;
    shown_at_ = now;
    const auto p50 = text_of(all.latency_recent.percentile(0.5));
    const auto p99 = text_of(all.latency_recent.percentile(0.99));
    run_.statistics.latency_recent.clear();
    const auto seconds = static_cast<double>(run_.elapsed().count()) / 1000;
    const auto seconds_all = static_cast<double>((run_.ramp_time() + run_.options.time).count()) / 1000;
    const auto* state = run_.stopping() ? "  ending" : "";
    if (!terminal_) {
        fmt::print(stderr,
                   "{:.0f}/{:.0f} s{}  in {}/{}  {:.0f} requests/s  {:.0f} pushes/s  p50 {}  p99 {}  errors {}  "
                   "reconnects {}\n",
                   seconds, seconds_all, state, all.players_in, run_.options.count, requests, pushes, p50, p99,
                   all.errors, all.reconnects);
        return;
    }
    erase();
    const std::string lines[] = {
        fmt::format("{}  {:.1f} / {:.1f} s{}", run_.options.scenario, seconds, seconds_all, state),
        fmt::format("players in   {} / {}", all.players_in, run_.options.count),
        fmt::format("requests     {:.0f} /s   answered in p50 {}, p99 {}", requests, p50, p99),
        fmt::format("pushes       {:.0f} /s", pushes),
        fmt::format("errors {}   reconnects {}   limited {}", all.errors, all.reconnects, all.limited),
    };
    for (const auto& line : lines) {
        fmt::print(stderr, "{}\n", std::string_view{line}.substr(0, columns));
        ++lines_shown_;
    }
    std::fflush(stderr);
}

void Progress::finish() { erase(); }

std::string readable_report(const Run& run) {
    const auto& all = run.statistics;
    const auto seconds = static_cast<double>(run.elapsed().count()) / 1000;
    std::string text = fmt::format("bots: scenario {}, {}, {:.1f} s{}\n", run.options.scenario,
                                   plural(run.options.count, "bot"), seconds, run.interrupted() ? ", interrupted" : "");
    text += fmt::format("  players in   {} of {} at once\n", all.players_in_most, run.options.count);
    text += fmt::format("  requests     {} ({:.0f}/s)\n", all.requests, rate_of(all.requests, seconds));
    text += fmt::format("  latency      p50 {}, p90 {}, p99 {}, most {}\n", text_of(all.latency.percentile(0.5)),
                        text_of(all.latency.percentile(0.9)), text_of(all.latency.percentile(0.99)),
                        text_of(all.latency.longest()));
    text += fmt::format("  pushes       {} ({:.0f}/s)\n", all.pushes, rate_of(all.pushes, seconds));
    if (all.limited > 0)
        text += fmt::format("  limited      {} (refused for a rate limit or a full queue)\n", all.limited);
    if (run.options.survive) {
        text +=
            fmt::format("  resumes      {}, with a gap {}; took p50 {}, p99 {}\n", all.resumes, all.resumed_with_gap,
                        text_of(all.resume_time.percentile(0.5)), text_of(all.resume_time.percentile(0.99)));
        text += fmt::format("  reconnects   {}, requests without an answer {}, holes in channels {}\n", all.reconnects,
                            all.unknown, all.gaps);
    }
    text += fmt::format("  errors       {}\n", all.errors);
    for (const auto& error : all.first_errors) text += fmt::format("    {}\n", error);
    if (all.errors > all.first_errors.size())
        text += fmt::format("    ... and {} more\n", all.errors - all.first_errors.size());
    return text;
}

std::string json_report(const Run& run) {
    const auto& all = run.statistics;
    const auto seconds = static_cast<double>(run.elapsed().count()) / 1000;
    const auto us = [&](double share) { return all.latency.percentile(share).count(); };
    auto each_second = nlohmann::ordered_json::array();
    for (const auto& second : all.seconds) {
        const auto end = std::chrono::duration_cast<std::chrono::milliseconds>(second.end.time_since_epoch());
        each_second.push_back(
            {{"end_unix_ms", end.count()}, {"answered", second.answered}, {"p99_us", second.p99.count()}});
    }
    const nlohmann::ordered_json report{
        {"scenario", run.options.scenario},
        {"count", run.options.count},
        {"seconds", seconds},
        {"seed", run.options.seed},
        {"interrupted", run.interrupted()},
        {"players_in_most", all.players_in_most},
        {"requests", all.requests},
        {"requests_per_second", rate_of(all.requests, seconds)},
        {"latency_us",
         {{"p50", us(0.5)}, {"p90", us(0.9)}, {"p99", us(0.99)}, {"most", all.latency.longest().count()}}},
        {"each_second", each_second},
        {"pushes", all.pushes},
        {"pushes_per_second", rate_of(all.pushes, seconds)},
        {"limited", all.limited},
        {"unknown", all.unknown},
        {"reconnects", all.reconnects},
        {"resumes", all.resumes},
        {"resumed_with_gap", all.resumed_with_gap},
        {"resume_us",
         {{"p50", all.resume_time.percentile(0.5).count()},
          {"p99", all.resume_time.percentile(0.99).count()},
          {"most", all.resume_time.longest().count()}}},
        {"gaps", all.gaps},
        {"errors", all.errors},
        {"first_errors", all.first_errors},
    };
    return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace gs::bots
