#pragma once
// What happened in a simulation, in order: a hash over all of it, the last events for a report, and the first
// violation of an invariant. Nothing that differs between two runs of a seed (keys, addresses) may enter an event.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/virtual_loop.hpp"

namespace gs::sim {

class Trace {
public:
    Trace(const runtime::VirtualTime& time, bool print) : time_{time}, print_{print} {}

    /// `what` is a literal.
    void note(const char* what, std::string_view who, std::uint64_t first = 0, std::uint64_t second = 0);
    /// The first one counts; the simulation ends soon after.
    void fail(std::string violation);

    [[nodiscard]] bool failed() const { return !violation_.empty(); }
    [[nodiscard]] const std::string& violation() const { return violation_; }
    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    [[nodiscard]] std::uint64_t events() const { return events_; }
    /// Up to the first violation.
    [[nodiscard]] std::string last_events() const;

private:
    struct Event {
        runtime::Time at{};
        const char* what = "";
        std::string who;
        std::uint64_t first = 0, second = 0;
    };
    static std::string to_text(const Event& event);
    void mix(std::uint64_t value);

    static constexpr std::size_t kept = 60;
    const runtime::VirtualTime& time_;
    bool print_;
    std::uint64_t hash_ = 0xcbf29ce484222325U, events_ = 0;
    std::vector<Event> last_ = std::vector<Event>(kept);
    std::string violation_;
};

}  // namespace gs::sim
