#include "client/bots/statistics.hpp"

#include <catch2/catch.hpp>

using namespace gs::bots;
using namespace std::chrono_literals;

TEST_CASE("bots histogram: percentiles within six percent", "[client][NEW-08]") {
    Histogram histogram;
    CHECK(histogram.percentile(0.5) == 0us);
    for (int i = 1; i <= 100'000; ++i) histogram.record(std::chrono::microseconds{i});
    for (const double share : {0.01, 0.5, 0.9, 0.99}) {
        const auto exact = share * 100'000;
        const auto found = static_cast<double>(histogram.percentile(share).count());
        CHECK(found >= exact);
        CHECK(found <= exact * 1.0625 + 1);
    }
    CHECK(histogram.percentile(1) == 100'000us);
    CHECK(histogram.longest() == 100'000us);
}

TEST_CASE("bots histogram: small and huge values", "[client][NEW-08]") {
    Histogram histogram;
    histogram.record(-1us);
    histogram.record(7us);
    CHECK(histogram.percentile(0.5) == 0us);
    CHECK(histogram.percentile(1) == 7us);
    histogram.record(std::chrono::hours{24 * 365});
    CHECK(histogram.percentile(1) > 1h);
}

TEST_CASE("bots statistics: all errors are counted and the first are kept", "[client][NEW-08]") {
    Statistics statistics;
    for (int i = 0; i < 25; ++i) statistics.fail(std::to_string(i));
    CHECK(statistics.errors == 25);
    REQUIRE(statistics.first_errors.size() == Statistics::first_errors_max);
    CHECK(statistics.first_errors.back() == "9");
}

TEST_CASE("bots statistics: each second for itself, and the last hour of them", "[client][NEW-08]") {
    Statistics statistics;
    const std::chrono::system_clock::time_point began{};
    for (int second = 1; second <= 4000; ++second) {
        for (int request = 0; request < second % 3; ++request)
            statistics.latency_second.record(std::chrono::microseconds{second});
        statistics.end_second(began + std::chrono::seconds{second});
    }
    REQUIRE(statistics.seconds.size() == 3600);
    CHECK(statistics.seconds.front().end == began + 401s);
    const auto& last = statistics.seconds.back();  // 4000 % 3 is 1
    CHECK(last.answered == 1);
    CHECK(last.p99 == 4000us);
    CHECK(statistics.seconds[3598].answered == 0);  // the one before
    CHECK(statistics.seconds[3598].p99 == 0us);
}
