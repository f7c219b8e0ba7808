#pragma once
// The log of the process: `log::info("player {} entered", id)`. One line per call, whatever the arguments hold.
// Loop: any thread. A call never waits for the disk or the terminal: lines go through a bounded queue to a thread of
// the log, and when that cannot keep up the oldest lines are dropped and counted.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/result.hpp"

namespace gs::log {

enum class Level : std::uint8_t { debug, info, warn, error, off };
enum class Format : std::uint8_t { text, json };

[[nodiscard]] std::string_view to_string(Level level);
[[nodiscard]] Result<Level> parse_level(std::string_view name);

/// Longer messages are cut and end in "…".
inline constexpr std::size_t message_bytes_max = 4096;

struct Options {
    Level level = Level::info;
    Format format = Format::text;
    std::string node{};                       ///< the node's name, in JSON lines
    std::string file{};                       ///< empty: standard error
    std::size_t file_bytes_max = 64U << 20U;  ///< then the file is renamed to file.1 and a new one begins
    std::size_t files_max = 5;
    std::size_t queue_lines = 8192;
};

/// Until start and after stop, lines are written to standard error by the caller. Errors: throws Code::invalid when
/// the file cannot be opened.
void start(const Options& options);
/// Writes what is queued, for at most a second, and ends the thread.
void stop();
void set_level(Level level);
/// Lines lost since the process began.
[[nodiscard]] std::uint64_t dropped();

namespace detail {
inline std::atomic<Level> level{Level::info};
void write(Level level, fmt::string_view format, fmt::format_args arguments) noexcept;
}  // namespace detail

[[nodiscard]] inline bool enabled(Level level) {
    return level >= detail::level.load(std::memory_order_relaxed) && level != Level::off;
}

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::debug)) detail::write(Level::debug, format, fmt::make_format_args(args...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::info)) detail::write(Level::info, format, fmt::make_format_args(args...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::warn)) detail::write(Level::warn, format, fmt::make_format_args(args...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(Level::error)) detail::write(Level::error, format, fmt::make_format_args(args...));
}

}  // namespace gs::log
