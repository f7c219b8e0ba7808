#include "base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include <fmt/chrono.h>
#include <poll.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <unistd.h>

#include "base/escape.hpp"

namespace gs::log {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::string_view cut_mark = "…";

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warn:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
        case Level::off:
            break;
    }
    return spdlog::level::off;
}

Level from_spdlog(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::info:
            return Level::info;
        case spdlog::level::warn:
            return Level::warn;
        case spdlog::level::err:
            return Level::error;
        default:
            return Level::debug;
    }
}

std::string_view colour(Level level) {
    switch (level) {
        case Level::debug:
            return "\x1b[2m";
        case Level::warn:
            return "\x1b[33m";
        case Level::error:
            return "\x1b[31m";
        default:
            return "\x1b[32m";
    }
}

bool wants_colour(int descriptor) {
    const auto* terminal = std::getenv("TERM");
    return isatty(descriptor) == 1 && std::getenv("NO_COLOR") == nullptr && terminal != nullptr &&
           std::string_view{terminal} != "dumb";
}

class LineFormatter final : public spdlog::formatter {
public:
    LineFormatter(Format format, std::string node, bool coloured)
        : format_{format}, node_{std::move(node)}, coloured_{coloured} {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
        line_.clear();
        format_ == Format::json ? append_json(message) : append_text(message);
        line_ += '\n';
        out.append(line_.data(), line_.data() + line_.size());
    }

    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<LineFormatter>(format_, node_, coloured_);
    }

private:
    static int milliseconds(const spdlog::details::log_msg& message) {
        const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(message.time.time_since_epoch());
        return static_cast<int>(since_epoch.count() % 1000);
    }

    void append_text(const spdlog::details::log_msg& message) {
        const auto level = from_spdlog(message.level);
        const auto local = fmt::localtime(std::chrono::system_clock::to_time_t(message.time));
        fmt::format_to(std::back_inserter(line_), "{:%H:%M:%S}.{:03} {}{:<5}{} ", local, milliseconds(message),
                       coloured_ ? colour(level) : "", to_string(level), coloured_ ? "\x1b[0m" : "");
        append_printable(line_, {message.payload.data(), message.payload.size()});
    }

    void append_json(const spdlog::details::log_msg& message) {
        const auto utc = fmt::gmtime(std::chrono::system_clock::to_time_t(message.time));
        fmt::format_to(std::back_inserter(line_), R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}",)", utc,
                       milliseconds(message), to_string(from_spdlog(message.level)));
        if (!node_.empty()) {
            line_ += "\"node\":";
            append_json_text(line_, node_);
            line_ += ',';
        }
        line_ += "\"message\":";
        append_json_text(line_, {message.payload.data(), message.payload.size()});
        line_ += '}';
    }

    Format format_;
    std::string node_;
    bool coloured_;
    std::string line_;
};

/// False when the reader of the descriptor did not take the line before `gives_up` said so.
template <class GivesUp>
bool write_line(int descriptor, std::string_view line, GivesUp gives_up) {
    // A descriptor that polls as writable takes at least this much without blocking (pipe(7): PIPE_BUF).
    constexpr std::size_t chunk_bytes = 4096;
    while (!line.empty()) {
        pollfd ready{.fd = descriptor, .events = POLLOUT, .revents = 0};
        const bool last_try = gives_up();
        if (poll(&ready, 1, last_try ? 0 : 20) <= 0) {
            if (last_try) return false;
            continue;
        }
        const auto written = ::write(descriptor, line.data(), std::min(line.size(), chunk_bytes));
        if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
        if (written > 0) line.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

class StandardErrorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    void give_up_at(Clock::time_point deadline) { deadline_ = deadline; }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        const auto gives_up = [this] { return Clock::now() >= deadline_.load(); };
        if (!write_line(STDERR_FILENO, {line.data(), line.size()}, gives_up)) ++dropped_;
    }
    void flush_() override {}

    std::atomic<Clock::time_point> deadline_{Clock::time_point::max()};
    std::atomic<std::uint64_t> dropped_ = 0;
};

struct Running {
    std::shared_ptr<StandardErrorSink> standard_error;  ///< null when a file is written
    std::shared_ptr<spdlog::details::thread_pool> thread;
    std::shared_ptr<spdlog::async_logger> logger;

    [[nodiscard]] std::uint64_t dropped() const {
        return thread->overrun_counter() + (standard_error ? standard_error->dropped() : 0);
    }
};

// The exclusive lock is held only to swap the pointer, so that a caller never waits for the output.
std::shared_mutex running_mutex;
std::shared_ptr<Running> running;
std::atomic<std::uint64_t> dropped_earlier = 0;

std::shared_ptr<Running> current() {
    const std::shared_lock lock{running_mutex};
    return running;
}

void write_directly(Level level, std::string_view text) {
    static std::mutex mutex;
    const std::lock_guard lock{mutex};
    static LineFormatter formatter{Format::text, {}, wants_colour(STDERR_FILENO)};
    spdlog::memory_buf_t line;
    formatter.format({spdlog::string_view_t{}, to_spdlog(level), {text.data(), text.size()}}, line);
    const auto deadline = Clock::now() + 100ms;
    const auto gives_up = [deadline] { return Clock::now() >= deadline; };
    if (!write_line(STDERR_FILENO, {line.data(), line.size()}, gives_up)) ++dropped_earlier;
}

}  // namespace

std::string_view to_string(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warn:
            return "warn";
        case Level::error:
            return "error";
        case Level::off:
            return "off";
    }
    return "unknown";
}

Result<Level> parse_level(std::string_view name) {
    for (const auto level : {Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
        if (name == to_string(level)) return level;
    }
    return Error{Code::invalid, "log level \"{}\" is unknown; use debug, info, warn, error or off", name};
}

void start(const Options& options) {
    stop();
    set_level(options.level);
    auto next = std::make_shared<Running>();
    spdlog::sink_ptr sink;
    if (options.file.empty()) {
        sink = next->standard_error = std::make_shared<StandardErrorSink>();
    } else {
        try {
            sink = std::make_shared<spdlog::sinks::rotating_file_sink_st>(options.file, options.file_bytes_max,
                                                                          options.files_max);
        } catch (const spdlog::spdlog_ex& failure) {
            throw Error{Code::invalid, "log file \"{}\" cannot be written: {}", options.file, failure.what()};
        }
    }
    const bool coloured = options.file.empty() && wants_colour(STDERR_FILENO);
    sink->set_formatter(std::make_unique<LineFormatter>(options.format, options.node, coloured));
    next->thread = std::make_shared<spdlog::details::thread_pool>(options.queue_lines, 1);
    next->logger = std::make_shared<spdlog::async_logger>("log", std::move(sink), next->thread,
                                                          spdlog::async_overflow_policy::overrun_oldest);
    next->logger->set_level(spdlog::level::trace);
    next->logger->flush_on(spdlog::level::trace);
    const std::lock_guard lock{running_mutex};
    running = std::move(next);
}

void stop() {
    std::shared_ptr<Running> last;
    {
        const std::lock_guard lock{running_mutex};
        last = std::move(running);
    }
    if (!last) return;
    if (last->standard_error) last->standard_error->give_up_at(Clock::now() + 1s);
    while (last.use_count() > 1) std::this_thread::yield();  // a caller is inside write(), which does not wait
    const auto sink = last->standard_error;
    const auto overrun_before = last->thread->overrun_counter();
    last->thread.reset();  // writes what is queued and joins
    dropped_earlier += overrun_before + (sink ? sink->dropped() : 0);
}

void set_level(Level level) { detail::level.store(level, std::memory_order_relaxed); }

std::uint64_t dropped() {
    const auto now = current();
    return dropped_earlier + (now ? now->dropped() : 0);
}

void detail::write(Level level, fmt::string_view format, fmt::format_args arguments) noexcept {
    try {
        fmt::memory_buffer text;
        try {
            fmt::vformat_to(std::back_inserter(text), format, arguments);
        } catch (const std::exception& failure) {
            text.clear();
            fmt::format_to(std::back_inserter(text), "cannot format the log message \"{}\": {}", format,
                           failure.what());
        }
        if (text.size() > message_bytes_max) {
            text.resize(utf8_prefix({text.data(), text.size()}, message_bytes_max - cut_mark.size()).size());
            text.append(cut_mark);
        }
        if (const auto now = current()) {
            now->logger->log(to_spdlog(level), spdlog::string_view_t{text.data(), text.size()});
        } else {
            write_directly(level, {text.data(), text.size()});
        }
    } catch (...) {
        ++dropped_earlier;  // out of memory: a log line is no reason to end the caller
    }
}

}  // namespace gs::log
