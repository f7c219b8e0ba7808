#include "app/up.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <optional>

namespace gs::app {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto restart_first = std::chrono::milliseconds{100};
constexpr auto restart_most = std::chrono::seconds{5};
constexpr auto lived_long = std::chrono::seconds{10};
constexpr auto stop_limit = std::chrono::seconds{40};

/// Those whom others need for saving stop last.
int stop_rank(const NodeRow& row) {
    static constexpr std::array<Role, role_count> order{Role::gateway, Role::login, Role::game, Role::center,
                                                        Role::storage};
    int rank = 0;
    for (std::size_t index = 0; index < order.size(); ++index) {
        if (row.roles.contains(order[index])) rank = static_cast<int>(index);
    }
    return rank;
}

struct Child {
    NodeRow row;
    pid_t pid = -1;
    int output = -1;
    std::string partial;
    Clock::time_point started, start_at;
    std::chrono::milliseconds backoff = restart_first;
    bool given_up = false;  ///< it said that its use or config is wrong, which a new start does not mend
};

class Cluster {
public:
    Cluster(const std::vector<NodeRow>& rows, std::vector<std::string> arguments) : arguments_{std::move(arguments)} {
        for (const auto& row : rows) {
            width_ = std::max(width_, row.name.size());
            children_.push_back({row, -1, -1, {}, {}, Clock::now(), restart_first, false});
        }
        sigset_t wanted;
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGINT);
        sigaddset(&wanted, SIGTERM);
        sigaddset(&wanted, SIGCHLD);
        sigprocmask(SIG_BLOCK, &wanted, nullptr);
        signals_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    }

    int run() {
        for (;;) {
            if (!stop_rank_) start_due();
            wait();
            reap();
            if (stop_rank_ && next_stop_step()) return failed_ ? exit_failed : exit_stopped;
            if (std::all_of(children_.begin(), children_.end(), [](const Child& child) { return child.given_up; }))
                return exit_wrong_use;
        }
    }

private:
    void start_due() {
        for (auto& child : children_) {
            if (child.pid < 0 && !child.given_up && Clock::now() >= child.start_at) start(child);
        }
    }

    void start(Child& child) {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
        const auto parent = getpid();
        const auto pid = fork();
        if (pid == 0) {
            // A child never outlives `up`, even if that is killed.
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (getppid() != parent) _exit(exit_failed);
            sigset_t none;
            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, nullptr);
            setpgid(0, 0);  // Ctrl-C reaches `up` only, which stops the nodes in order
            dup2(ends[1], STDOUT_FILENO);
            dup2(ends[1], STDERR_FILENO);
            auto words = arguments_;
            words.insert(words.end(), {"--node", child.row.name});
            std::vector<char*> list;
            for (auto& word : words) list.push_back(word.data());
            list.push_back(nullptr);
            execv(executable_.c_str(), list.data());
            _exit(exit_failed);
        }
        ::close(ends[1]);
        if (pid < 0) {
            ::close(ends[0]);
            child.start_at = Clock::now() + restart_most;
            return;
        }
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        child.pid = pid;
        child.output = ends[0];
        child.started = Clock::now();
        say(child, fmt::format("started, pid {}", pid));
    }

    void wait() {
        std::vector<pollfd> files{{signals_, POLLIN, 0}};
        for (const auto& child : children_) {
            if (child.output >= 0) files.push_back({child.output, POLLIN, 0});
        }
        ::poll(files.data(), files.size(), 50);
        for (auto& child : children_) read_output(child);
        signalfd_siginfo info{};
        while (::read(signals_, &info, sizeof(info)) == sizeof(info)) {
            if (info.ssi_signo != SIGCHLD) stop_asked();
        }
    }

    void read_output(Child& child) {
        std::array<char, 16384> buffer{};
        while (child.output >= 0) {
            const auto count = ::read(child.output, buffer.data(), buffer.size());
            if (count > 0) {
                child.partial.append(buffer.data(), static_cast<std::size_t>(count));
                print_lines(child);
                continue;
            }
            if (count == 0) {
                ::close(child.output);
                child.output = -1;
            }
            return;
        }
    }

    void print_lines(Child& child) {
        std::size_t begin = 0;
        for (auto end = child.partial.find('\n'); end != std::string::npos; end = child.partial.find('\n', begin)) {
            say(child, child.partial.substr(begin, end - begin));
            begin = end + 1;
        }
        child.partial.erase(0, begin);
    }

    void say(const Child& child, std::string_view line) const {
        std::cerr << fmt::format("{:<{}} | {}\n", child.row.name, width_, line);
    }

    void reap() {
        for (auto& child : children_) {
            int status = 0;
            if (child.pid < 0 || waitpid(child.pid, &status, WNOHANG) != child.pid) continue;
            read_output(child);
            child.pid = -1;
            if (stop_rank_) {
                const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
                failed_ = failed_ || !clean;
                say(child, clean ? "stopped" : "stopped, but not cleanly");
                continue;
            }
            if (WIFEXITED(status) && WEXITSTATUS(status) == exit_wrong_use) {
                child.given_up = failed_ = true;
                say(child, "ended with code 2 (wrong use or config, see above); it is not started again");
                continue;
            }
            if (Clock::now() - child.started > lived_long) child.backoff = restart_first;
            child.start_at = Clock::now() + child.backoff;
            const auto how = WIFSIGNALED(status) ? fmt::format("was killed by signal {}", WTERMSIG(status))
                                                 : fmt::format("ended with code {}", WEXITSTATUS(status));
            say(child, fmt::format("{}; starting it again in {} ms", how, child.backoff.count()));
            child.backoff = std::min<std::chrono::milliseconds>(child.backoff * 2, restart_most);
        }
    }

    void stop_asked() {
        if (stop_rank_) {
            for (const auto& child : children_) {
                if (child.pid > 0) ::kill(child.pid, SIGKILL);
            }
            failed_ = true;
            return;
        }
        std::cerr << "stopping all nodes, storage last (again to stop at once)\n";
        stop_rank_ = -1;
    }

    /// True when nothing runs any more.
    bool next_stop_step() {
        const bool running_now = std::any_of(children_.begin(), children_.end(), [&](const Child& child) {
            return child.pid > 0 && stop_rank(child.row) <= *stop_rank_;
        });
        if (running_now && Clock::now() < step_deadline_) return false;
        if (running_now) stop_asked();  // it had its time
        ++*stop_rank_;
        step_deadline_ = Clock::now() + stop_limit;
        for (const auto& child : children_) {
            if (child.pid > 0 && stop_rank(child.row) == *stop_rank_) ::kill(child.pid, SIGTERM);
        }
        return std::none_of(children_.begin(), children_.end(), [](const Child& child) { return child.pid > 0; });
    }

    // Read once: after an upgrade of the file the link of a running process names one that is deleted.
    std::string executable_ = std::filesystem::read_symlink("/proc/self/exe").string();
    std::vector<std::string> arguments_;
    std::vector<Child> children_;
    std::size_t width_ = 0;
    int signals_ = -1;
    std::optional<int> stop_rank_;
    Clock::time_point step_deadline_;
    bool failed_ = false;
};

}  // namespace

int run_cluster(const RunOptions& options, const std::vector<std::string>& forwarded) {
    // The rows are read with the first node's eyes; each child checks its own again.
    auto probe = options;
    auto tree = load_config(probe.sources);
    if (!tree) {
        std::cerr << "gameserver: " << tree.error().message() << "\n";
        return exit_wrong_use;
    }
    const auto rows = tree->root().tables("node", "", [](const Settings& row) { return row.text("name", "", ""); });
    if (rows.empty()) {
        std::cerr << "gameserver: " << probe.sources.file->string()
                  << " describes no [[node]]; etc/cluster-local.toml is an example\n";
        return exit_wrong_use;
    }
    probe.overrides.node = rows.front();
    const auto config = load_checked(probe);
    if (!config) {
        std::cerr << "gameserver: the configuration is wrong\n" << config.error().message() << "\n";
        return exit_wrong_use;
    }
    if (config->node.development) {
        const auto keys = create_keys(config->node.data_directory);
        if (!keys) {
            std::cerr << "gameserver: " << keys.error().message() << "\n";
            return exit_wrong_use;
        }
    }
    std::vector<std::string> arguments{"gameserver", "run", "--config",
                                       std::filesystem::absolute(*probe.sources.file).string()};
    arguments.insert(arguments.end(), forwarded.begin(), forwarded.end());
    Cluster cluster{config->node.rows, std::move(arguments)};
    return cluster.run();
}

}  // namespace gs::app
