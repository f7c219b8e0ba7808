#pragma once
// What the server counts about itself, for Prometheus. An instrument has one writer (a loop) and any number of readers:
// writing is a plain load and store, no locked instruction. Several loops that count the same thing each ask for their
// own instrument of that name; the scrape shows their sum.
// Owner: Metrics owns the instruments; references stay valid as long as it lives.
// Loop: asking for an instrument and to_prometheus_text take a mutex, any thread; instruments are written by one
// thread.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace gs {

/// Only ever grows.
class Counter {
public:
    void add(std::uint64_t count = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
public:
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t change) { set(value() + change); }
    [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_ = 0;
};

/// How often values fell into each range. Units: durations are shown in seconds, with ranges from 1 us to 60 s; plain
/// values (sizes, lengths) as they are, with ranges from 1 to 60 million.
class Histogram {
public:
    enum class Unit : std::uint8_t { seconds, plain };
    static constexpr std::array<std::uint64_t, 24> bounds{
        1,       2,       5,        10,       20,       50,         100,        200,
        500,     1000,    2000,     5000,     10'000,   20'000,     50'000,     100'000,
        200'000, 500'000, 1000'000, 2000'000, 5000'000, 10'000'000, 20'000'000, 60'000'000};

    /// What was observed up to one moment; those of several writers add up.
    struct Snapshot {
        Unit unit{};
        std::array<std::uint64_t, bounds.size() + 1> counts{};  ///< the last one holds what is above all bounds
        std::uint64_t sum = 0;                                  ///< nanoseconds, or plain values

        void add(const Snapshot& other);
        [[nodiscard]] std::uint64_t count() const;
        [[nodiscard]] double total() const;  ///< seconds, or plain
        [[nodiscard]] double bound(std::size_t index) const;
        /// An estimate, exact to the width of a range; 0 when nothing was observed.
        [[nodiscard]] double quantile(double part) const;
    };

    explicit Histogram(Unit unit) : unit_{unit} {}

    void observe(std::chrono::nanoseconds duration) {
        const auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
        record((nanoseconds + 999) / 1000, nanoseconds);
    }
    void observe(std::uint64_t value) { record(value, value); }
    [[nodiscard]] Snapshot snapshot() const;
    [[nodiscard]] double quantile(double part) const { return snapshot().quantile(part); }

private:
    void record(std::uint64_t value, std::uint64_t summand) {
        const auto index =
            value <= bounds.front() ? 0 : std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
        auto& count = counts_[static_cast<std::size_t>(index)];
        count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        sum_.store(sum_.load(std::memory_order_relaxed) + summand, std::memory_order_relaxed);
    }

    std::array<std::atomic<std::uint64_t>, bounds.size() + 1> counts_{};
    std::atomic<std::uint64_t> sum_ = 0;
    Unit unit_;
};

using Labels = std::map<std::string, std::string>;

class Metrics {
public:
    /// Beyond this many instruments, new ones of a name share one that is labelled overflow="true", functions are left
    /// out, and gameserver_metrics_refused_total counts both.
    static constexpr std::size_t instruments_max_default = 10'000;

    explicit Metrics(std::size_t instruments_max = instruments_max_default);
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    /// Errors: throws Code::invalid for a name or label Prometheus does not allow, or a name used for another kind.
    Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {},
                         Histogram::Unit unit = Histogram::Unit::seconds);
    /// `read` is called by the thread that scrapes, must stay callable as long as Metrics lives, and may not use
    /// Metrics.
    void gauge_function(std::string_view name, std::string_view help, const Labels& labels,
                        std::function<double()> read);
    void counter_function(std::string_view name, std::string_view help, const Labels& labels,
                          std::function<double()> read);

    [[nodiscard]] std::string to_prometheus_text() const;

private:
    enum class Kind : std::uint8_t { counter, gauge, histogram };
    struct Series;
    struct Family;

    Family& family(std::string_view name, std::string_view help, const Labels& labels, Kind kind);
    template <class Instrument, class... Args>
    Instrument& add(Family& family, const Labels& labels, Args... args);
    void add_function(Family& family, const Labels& labels, std::function<double()> read);

    const std::size_t instruments_max_;
    mutable std::mutex mutex_;
    std::size_t instruments_ = 0;
    std::uint64_t refused_ = 0;
    std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
};

}  // namespace gs
