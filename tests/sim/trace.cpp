#include "tests/sim/trace.hpp"

#include <cstdio>

#include <fmt/format.h>

namespace gs::sim {

void Trace::mix(std::uint64_t value) {
    // Source: FNV-1a, by words.
    hash_ = (hash_ ^ value) * 0x100000001b3U;
    hash_ ^= hash_ >> 29U;
}

void Trace::note(const char* what, std::string_view who, std::uint64_t first, std::uint64_t second) {
    if (failed()) return;
    auto& event = last_[events_++ % kept];
    event.at = time_.now();
    event.what = what;
    event.who = who;
    event.first = first;
    event.second = second;
    mix(static_cast<std::uint64_t>(event.at.time_since_epoch().count()));
    for (const auto* letter = what; *letter != '\0'; ++letter) mix(static_cast<unsigned char>(*letter));
    for (const auto letter : who) mix(static_cast<unsigned char>(letter));
    mix(first);
    mix(second);
    if (print_) std::puts(to_text(event).c_str());
}

void Trace::fail(std::string violation) {
    if (failed()) return;
    note("VIOLATION", {});
    violation_ = std::move(violation);
    if (print_) std::puts(violation_.c_str());
}

std::string Trace::to_text(const Event& event) {
    const auto seconds = std::chrono::duration<double>{event.at.time_since_epoch()}.count();
    return fmt::format("{:11.6f} {:<22} {:<16} {} {}", seconds, event.what, event.who, event.first, event.second);
}

std::string Trace::last_events() const {
    std::string text;
    for (auto number = events_ > kept ? events_ - kept : 0; number < events_; ++number) {
        text += to_text(last_[number % kept]) + "\n";
    }
    return text;
}

}  // namespace gs::sim
