#pragma once
// A program under test as a real process: started with a pipe for its output, watched, signalled by its id, and killed
// at the latest by the destructor.
// Errors: every wait has a deadline and throws std::runtime_error when it passes. Destroyed by an exception, it prints
// its output.
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace gs::test {

using Clock = std::chrono::steady_clock;

/// Much longer than anything here takes, so that only what hangs is caught, on a slow machine too.
inline constexpr std::chrono::seconds patience{30};

class Process {
public:
    /// The first word is the program, looked up in PATH. Standard output and error arrive in one stream.
    explicit Process(std::vector<std::string> words, const std::string& directory = ".");
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] Clock::time_point started() const { return started_; }
    void send_signal(int signal) const;
    /// The first line at or after `from` that contains `text`.
    std::string wait_line(std::string_view text, std::size_t from = 0, std::chrono::seconds limit = patience);
    /// Waits for the end; the exit code, or 128 + the number of the signal that ended it.
    int wait_exit(std::chrono::seconds limit = patience);
    /// How many lines have come so far: `from` for what happens next.
    [[nodiscard]] std::size_t line_count() const;
    [[nodiscard]] std::vector<std::string> lines() const;
    [[nodiscard]] std::string output() const;

private:
    void read_output();
    [[noreturn]] void give_up(const std::string& waited_for) const;

    std::string name_;
    Clock::time_point started_ = Clock::now();
    pid_t pid_ = -1;
    int output_ = -1;
    std::optional<int> exit_code_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> lines_;
    bool ended_ = false;  ///< the output did
    std::thread reader_;
};

struct Finished {
    int code;
    std::string output;
};
/// Runs a program to its end.
[[nodiscard]] Finished run(std::vector<std::string> words, const std::string& directory = ".");

/// Asks every few milliseconds until it is true.
void wait_until(const std::string& what, const std::function<bool()>& is_true, std::chrono::seconds limit = patience);

/// The resident memory of a process at its highest so far.
[[nodiscard]] std::size_t peak_memory_bytes(pid_t pid);

}  // namespace gs::test
