#include "base/metrics.hpp"

#include <thread>

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace gs;
using namespace std::chrono_literals;

namespace {

bool has_line(const std::string& text, std::string_view line) {
    return ("\n" + text).find("\n" + std::string{line} + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("the instruments of one series are shown as their sum", "[base][metrics]") {
    Metrics metrics;
    auto& first = metrics.counter("gs_messages_total", "Messages handled", {{"role", "game"}});
    auto& second = metrics.counter("gs_messages_total", "Messages handled", {{"role", "game"}});
    auto& other = metrics.counter("gs_messages_total", "Messages handled", {{"role", "login"}});
    CHECK(&first != &second);
    std::thread writer{[&second] {
        for (int index = 0; index < 100'000; ++index) second.add();
    }};
    for (int index = 0; index < 100'000; ++index) first.add();
    writer.join();
    other.add(7);
    auto& gauge = metrics.gauge("gs_players", "Players online");
    gauge.set(10);
    gauge.add(-3);
    const auto text = metrics.to_prometheus_text();
    CHECK(has_line(text, "# HELP gs_messages_total Messages handled"));
    CHECK(has_line(text, "# TYPE gs_messages_total counter"));
    CHECK(has_line(text, R"(gs_messages_total{role="game"} 200000)"));
    CHECK(has_line(text, R"(gs_messages_total{role="login"} 7)"));
    CHECK(has_line(text, "gs_players 7"));
    CHECK(has_line(text, "gameserver_metrics_refused_total 0"));
}

TEST_CASE("functions are asked at the scrape", "[base][metrics]") {
    Metrics metrics;
    double value = 1.5;
    metrics.gauge_function("gs_level", "Level", {{"of", "water"}}, [&value] { return value; });
    metrics.counter_function("gs_lines_total", "Lines", {}, [] { return 3.0; });
    CHECK(has_line(metrics.to_prometheus_text(), R"(gs_level{of="water"} 1.5)"));
    value = 2.5;
    CHECK(has_line(metrics.to_prometheus_text(), R"(gs_level{of="water"} 2.5)"));
    CHECK(has_line(metrics.to_prometheus_text(), "gs_lines_total 3"));
}

TEST_CASE("a histogram counts into ranges of seconds", "[base][metrics]") {
    Metrics metrics;
    auto& first = metrics.histogram("gs_wait_seconds", "Wait");
    auto& second = metrics.histogram("gs_wait_seconds", "Wait");
    first.observe(-5ns);
    first.observe(1us);
    first.observe(1001ns);
    second.observe(1ms);
    second.observe(5min);
    const auto text = metrics.to_prometheus_text();
    CHECK(has_line(text, R"(gs_wait_seconds_bucket{le="1e-06"} 2)"));
    CHECK(has_line(text, R"(gs_wait_seconds_bucket{le="2e-06"} 3)"));
    CHECK(has_line(text, R"(gs_wait_seconds_bucket{le="0.001"} 4)"));
    CHECK(has_line(text, R"(gs_wait_seconds_bucket{le="60"} 4)"));
    CHECK(has_line(text, R"(gs_wait_seconds_bucket{le="+Inf"} 5)"));
    CHECK(has_line(text, "gs_wait_seconds_count 5"));
}

TEST_CASE("a histogram of plain values shows them as they are", "[base][metrics]") {
    Metrics metrics;
    metrics.histogram("gs_batch", "Batch", {}, Histogram::Unit::plain).observe(std::uint64_t{42});
    const auto text = metrics.to_prometheus_text();
    CHECK(has_line(text, R"(gs_batch_bucket{le="20"} 0)"));
    CHECK(has_line(text, R"(gs_batch_bucket{le="50"} 1)"));
    CHECK(has_line(text, "gs_batch_sum 42"));
}

TEST_CASE("quantiles are right to the width of a range", "[base][metrics]") {
    Histogram histogram{Histogram::Unit::seconds};
    CHECK(histogram.quantile(0.5) == 0);
    for (int index = 1; index <= 1000; ++index) histogram.observe(std::chrono::milliseconds{index});
    CHECK(histogram.quantile(0.5) == Approx(0.5).margin(0.01));
    CHECK(histogram.quantile(0.99) == Approx(0.99).margin(0.01));
    CHECK(histogram.quantile(1.0) == Approx(1.0));
    histogram.observe(10min);
    CHECK(histogram.quantile(1.0) == 60);
}

TEST_CASE("label values are escaped and wrong names refused", "[base][metrics]") {
    Metrics metrics;
    metrics.counter("gs_x_total", "X", {{"who", "a\"b\nc"}}).add();
    CHECK(has_line(metrics.to_prometheus_text(), R"(gs_x_total{who="a\"b\nc"} 1)"));
    CHECK_THROWS_AS(metrics.counter("no spaces", "X"), Error);
    CHECK_THROWS_AS(metrics.counter("gs_y_total", "X", {{"no-dash", "1"}}), Error);
    CHECK_THROWS_AS(metrics.gauge("gs_x_total", "X"), Error);
}

TEST_CASE("series are bounded and the rest shares one", "[base][metrics]") {
    Metrics metrics{3};
    for (int index = 0; index < 10; ++index) {
        metrics.counter("gs_names_total", "Names", {{"name", std::to_string(index)}}).add();
    }
    metrics.gauge_function("gs_late", "Late", {}, [] { return 1.0; });
    const auto text = metrics.to_prometheus_text();
    CHECK(has_line(text, R"(gs_names_total{name="2"} 1)"));
    CHECK(text.find(R"(name="3")") == std::string::npos);
    CHECK(has_line(text, R"(gs_names_total{overflow="true"} 7)"));
    CHECK(has_line(text, "gameserver_metrics_refused_total 8"));
}
