#include "base/metrics.hpp"

#include <cmath>
#include <deque>
#include <numeric>
#include <tuple>

#include <prometheus/check_names.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "base/error.hpp"

namespace gs {

namespace {

const Labels overflow_labels{{"overflow", "true"}};

}  // namespace

void Histogram::Snapshot::add(const Snapshot& other) {
    unit = other.unit;
    for (std::size_t index = 0; index < counts.size(); ++index) counts[index] += other.counts[index];
    sum += other.sum;
}

std::uint64_t Histogram::Snapshot::count() const {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

double Histogram::Snapshot::total() const { return static_cast<double>(sum) / (unit == Unit::seconds ? 1e9 : 1.0); }

double Histogram::Snapshot::bound(std::size_t index) const {
    return static_cast<double>(bounds[index]) / (unit == Unit::seconds ? 1e6 : 1.0);
}

double Histogram::Snapshot::quantile(double part) const {
    const auto all = count();
    if (all == 0) return 0;
    const auto wanted = std::clamp(part, 0.0, 1.0) * static_cast<double>(all);
    double below = 0;
    for (std::size_t index = 0; index < bounds.size(); ++index) {
        const auto here = static_cast<double>(counts[index]);
        if (here > 0 && below + here >= wanted) {
            const auto from = index == 0 ? 0.0 : bound(index - 1);
            return from + (bound(index) - from) * (wanted - below) / here;
        }
        below += here;
    }
    return bound(bounds.size() - 1);
}

Histogram::Snapshot Histogram::snapshot() const {
    Snapshot result;
    result.unit = unit_;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        result.counts[index] = counts_[index].load(std::memory_order_relaxed);
    }
    result.sum = sum_.load(std::memory_order_relaxed);
    return result;
}

struct Metrics::Series {
    // Deques, because instruments may not move.
    std::tuple<std::deque<Counter>, std::deque<Gauge>, std::deque<Histogram>> instruments;
    std::vector<std::function<double()>> functions;

    template <class Instrument>
    [[nodiscard]] auto& list() {
        return std::get<std::deque<Instrument>>(instruments);
    }
    template <class Instrument>
    [[nodiscard]] const auto& list() const {
        return std::get<std::deque<Instrument>>(instruments);
    }

    [[nodiscard]] prometheus::ClientMetric read(Kind kind) const {
        prometheus::ClientMetric metric;
        if (kind == Kind::histogram) {
            Histogram::Snapshot all;
            for (const auto& one : list<Histogram>()) all.add(one.snapshot());
            std::uint64_t cumulative = 0;
            for (std::size_t index = 0; index < all.counts.size(); ++index) {
                cumulative += all.counts[index];
                const auto bound = index < Histogram::bounds.size() ? all.bound(index) : HUGE_VAL;
                metric.histogram.bucket.push_back({cumulative, bound});
            }
            metric.histogram.sample_count = cumulative;
            metric.histogram.sample_sum = all.total();
            return metric;
        }
        double value = 0;
        for (const auto& one : list<Counter>()) value += static_cast<double>(one.value());
        for (const auto& one : list<Gauge>()) value += static_cast<double>(one.value());
        for (const auto& one : functions) value += one();
        (kind == Kind::counter ? metric.counter.value : metric.gauge.value) = value;
        return metric;
    }
};

struct Metrics::Family {
    std::string help;
    Kind kind;
    std::map<Labels, Series> series;
};

Metrics::Metrics(std::size_t instruments_max) : instruments_max_{instruments_max} {}
Metrics::~Metrics() = default;

Metrics::Family& Metrics::family(std::string_view name, std::string_view help, const Labels& labels, Kind kind) {
    if (!prometheus::CheckMetricName(std::string{name})) {
        throw Error{Code::invalid, "metric name \"{}\" must be letters, digits and _, and not begin with a digit",
                    name};
    }
    for (const auto& [label, value] : labels) {
        if (!prometheus::CheckLabelName(label)) {
            throw Error{Code::invalid, "metric \"{}\": label \"{}\" must be letters, digits and _", name, label};
        }
    }
    auto at = families_.find(name);
    if (at == families_.end()) {
        auto made = std::make_unique<Family>(Family{std::string{help}, kind, {}});
        at = families_.emplace(std::string{name}, std::move(made)).first;
    }
    if (at->second->kind != kind) throw Error{Code::invalid, "metric \"{}\" is already used for another kind", name};
    return *at->second;
}

template <class Instrument, class... Args>
Instrument& Metrics::add(Family& family, const Labels& labels, Args... args) {
    if (instruments_ < instruments_max_) {
        ++instruments_;
        return family.series[labels].list<Instrument>().emplace_back(args...);
    }
    // All further writers share one instrument: counts may then be lost, but memory stays bounded.
    ++refused_;
    auto& shared = family.series[overflow_labels].list<Instrument>();
    return shared.empty() ? shared.emplace_back(args...) : shared.front();
}

void Metrics::add_function(Family& family, const Labels& labels, std::function<double()> read) {
    if (instruments_ >= instruments_max_) {
        ++refused_;
        return;
    }
    ++instruments_;
    family.series[labels].functions.push_back(std::move(read));
}

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock{mutex_};
    return add<Counter>(family(name, help, labels, Kind::counter), labels);
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock{mutex_};
    return add<Gauge>(family(name, help, labels, Kind::gauge), labels);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const Labels& labels,
                              Histogram::Unit unit) {
    const std::lock_guard lock{mutex_};
    return add<Histogram>(family(name, help, labels, Kind::histogram), labels, unit);
}

void Metrics::gauge_function(std::string_view name, std::string_view help, const Labels& labels,
                             std::function<double()> read) {
    const std::lock_guard lock{mutex_};
    add_function(family(name, help, labels, Kind::gauge), labels, std::move(read));
}

void Metrics::counter_function(std::string_view name, std::string_view help, const Labels& labels,
                               std::function<double()> read) {
    const std::lock_guard lock{mutex_};
    add_function(family(name, help, labels, Kind::counter), labels, std::move(read));
}

std::string Metrics::to_prometheus_text() const {
    std::vector<prometheus::MetricFamily> scrape;
    const std::lock_guard lock{mutex_};
    for (const auto& [name, family] : families_) {
        auto& shown = scrape.emplace_back();
        shown.name = name;
        shown.help = family->help;
        shown.type = family->kind == Kind::counter ? prometheus::MetricType::Counter
                     : family->kind == Kind::gauge ? prometheus::MetricType::Gauge
                                                   : prometheus::MetricType::Histogram;
        for (const auto& [labels, series] : family->series) {
            auto& metric = shown.metric.emplace_back(series.read(family->kind));
            for (const auto& [label, value] : labels) metric.label.push_back({label, value});
        }
    }
    auto& refused = scrape.emplace_back();
    refused.name = "gameserver_metrics_refused_total";
    refused.help = "Instruments that did not get a series of their own";
    refused.type = prometheus::MetricType::Counter;
    refused.metric.emplace_back().counter.value = static_cast<double>(refused_);
    return prometheus::TextSerializer{}.Serialize(scrape);
}

}  // namespace gs
