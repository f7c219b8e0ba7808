#include "tests/processes/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gs::test {

namespace {
constexpr std::chrono::milliseconds poll_period{5};
}

Process::Process(std::vector<std::string> words, const std::string& directory)
    : name_{fmt::format("{}", fmt::join(words, " "))} {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipe for " + name_};
    std::vector<char*> list;
    for (auto& word : words) list.push_back(word.data());
    list.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error{"no process for " + name_};
    if (pid_ == 0) {
        // A test that is killed itself leaves nothing behind.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(ends[1], STDOUT_FILENO);
        ::dup2(ends[1], STDERR_FILENO);
        if (::chdir(directory.c_str()) == 0) ::execvp(list[0], list.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
    reader_ = std::thread{[this] { read_output(); }};
}

Process::~Process() {
    if (!exit_code_) {
        // Others may hold the pipe open (the nodes of a cluster): they end with their parent.
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    reader_.join();
    ::close(output_);
    // Left by an exception: what everybody said is what one wants to see.
    if (std::uncaught_exceptions() > 0) fmt::print(stderr, "--- {}\n{}", name_, output());
}

void Process::read_output() {
    std::array<char, 16384> buffer{};
    std::string partial;
    for (;;) {
        const auto count = ::read(output_, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        const std::lock_guard lock{mutex_};
        if (count > 0) partial.append(buffer.data(), static_cast<std::size_t>(count));
        std::size_t begin = 0;
        for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n', begin)) {
            lines_.push_back(partial.substr(begin, end - begin));
            begin = end + 1;
        }
        partial.erase(0, begin);
        ended_ = count <= 0;
        if (ended_ && !partial.empty()) lines_.push_back(partial);
        changed_.notify_all();
        if (ended_) return;
    }
}

void Process::send_signal(int signal) const { ::kill(pid_, signal); }

std::string Process::wait_line(std::string_view text, std::size_t from, std::chrono::seconds limit) {
    const auto deadline = Clock::now() + limit;
    std::unique_lock lock{mutex_};
    for (;;) {
        for (; from < lines_.size(); ++from) {
            if (lines_[from].find(text) != std::string::npos) return lines_[from];
        }
        if (ended_ || changed_.wait_until(lock, deadline) == std::cv_status::timeout) break;
    }
    lock.unlock();
    give_up(fmt::format("a line with \"{}\"", text));
}

int Process::wait_exit(std::chrono::seconds limit) {
    if (exit_code_) return *exit_code_;
    int status = 0;
    wait_until(
        name_ + " ends", [&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, limit);
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const auto deadline = Clock::now() + limit;
    std::unique_lock lock{mutex_};
    const bool ended = changed_.wait_until(lock, deadline, [this] { return ended_; });
    lock.unlock();
    if (!ended) give_up("the end of its output");
    return *exit_code_;
}

std::size_t Process::line_count() const {
    const std::lock_guard lock{mutex_};
    return lines_.size();
}

std::vector<std::string> Process::lines() const {
    const std::lock_guard lock{mutex_};
    return lines_;
}

std::string Process::output() const { return fmt::format("{}\n", fmt::join(lines(), "\n")); }

void Process::give_up(const std::string& waited_for) const {
    throw std::runtime_error{fmt::format("waited in vain for {} of: {}", waited_for, name_)};
}

Finished run(std::vector<std::string> words, const std::string& directory) {
    Process process{std::move(words), directory};
    const auto code = process.wait_exit();
    return {code, process.output()};
}

void wait_until(const std::string& what, const std::function<bool()>& is_true, std::chrono::seconds limit) {
    const auto deadline = Clock::now() + limit;
    while (!is_true()) {
        if (Clock::now() > deadline) throw std::runtime_error{"waited in vain until " + what};
        std::this_thread::sleep_for(poll_period);
    }
}

std::size_t peak_memory_bytes(pid_t pid) {
    std::ifstream status{fmt::format("/proc/{}/status", pid)};
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
    }
    throw std::runtime_error{fmt::format("process {} has no memory", pid)};
}

}  // namespace gs::test
