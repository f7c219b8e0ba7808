// The load generator: one thread, one epoll loop, any number of connections; prints one line of JSON.
// It reads the servers' CPU clocks itself, at the very moments at which it counts replies.
#include "gs_conversation.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <vector>

namespace gs::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr unsigned opening_max = 256;                // connections between connect() and ready at one time
constexpr auto patience = std::chrono::seconds{20};  // without any progress

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "load: %s\n", what.c_str());
    std::exit(1);
}

constexpr const char* usage =
    "usage: load --mode raw|framed|gs --port PORT [options]\n"
    "  --connections N     connections (1)\n"
    "  --outstanding N     requests under way on each; with --broadcast, rounds under way (1)\n"
    "  --seconds S         measured time (1)\n"
    "  --warm-up S         time before it (0.3)\n"
    "  --pids A,B          server processes whose CPU time is reported\n"
    "  --hold              when warm, print READY, wait for a line on standard input, then measure\n"
    "  --idle              connect, print READY, keep silent until standard input ends\n"
    "  --broadcast         the connections receive, one more sends\n"
    "  --sender-port PORT  where the sender connects (raw: the control port)\n"
    "  --tokens FILE       gs: one login token to a line, one for each connection\n"
    "  --request KIND      gs: echo or save (echo)\n";

struct Options {
    std::map<std::string, std::string> values;

    static Options parse(int count, char** arguments) {
        const std::vector<std::string> flags{"hold", "idle", "broadcast"};
        const std::vector<std::string> keys{"mode",    "port", "connections", "outstanding", "seconds",
                                            "warm-up", "pids", "sender-port", "tokens",      "request"};
        Options options;
        for (int i = 1; i < count; ++i) {
            const std::string argument = arguments[i];
            const auto name = argument.rfind("--", 0) == 0 ? argument.substr(2) : argument;
            const bool flag = std::find(flags.begin(), flags.end(), name) != flags.end();
            const bool key = std::find(keys.begin(), keys.end(), name) != keys.end() && i + 1 < count;
            if (!flag && !key) {
                std::fprintf(stderr, "load: '%s' is unknown or lacks its value\n%s", argument.c_str(), usage);
                std::exit(2);
            }
            options.values[name] = flag ? "yes" : arguments[++i];
        }
        return options;
    }
    bool has(const std::string& name) const { return values.count(name) != 0; }
    std::string text(const std::string& name, const std::string& otherwise) const {
        return has(name) ? values.at(name) : otherwise;
    }
    double number(const std::string& name, double otherwise) const {
        if (!has(name)) {
            return otherwise;
        }
        char* end = nullptr;
        const double value = std::strtod(values.at(name).c_str(), &end);
        if (*end != '\0' || value < 0) {
            fail("--" + name + ": '" + values.at(name) + "' is not a number");
        }
        return value;
    }
    unsigned whole(const std::string& name, unsigned otherwise) const {
        return static_cast<unsigned>(number(name, otherwise));
    }
};

// CPU time of all threads of the processes, those that ended included. Units: nanoseconds
class CpuClocks {
public:
    explicit CpuClocks(const std::string& pids) {
        for (std::size_t at = 0; at < pids.size();) {
            const auto comma = std::min(pids.find(',', at), pids.size());
            const auto pid = static_cast<pid_t>(std::atoi(pids.substr(at, comma - at).c_str()));
            clockid_t clock{};
            if (clock_getcpuclockid(pid, &clock) != 0) {
                fail("no process " + pids.substr(at, comma - at));
            }
            clocks_.push_back(clock);
            at = comma + 1;
        }
    }
    std::int64_t now() const {
        std::int64_t sum = 0;
        for (const auto clock : clocks_) {
            timespec time{};
            if (clock_gettime(clock, &time) != 0) {
                fail("a server process ended during the measurement");
            }
            sum += std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
        }
        return sum;
    }

private:
    std::vector<clockid_t> clocks_;
};

// Round trips in steps of 1 microsecond up to 1 second.
class RoundTrips {
public:
    void add(Clock::duration time) {
        const auto micros = std::chrono::duration_cast<microseconds>(time).count();
        ++counts_[static_cast<std::size_t>(std::clamp<std::int64_t>(micros, 0, std::int64_t(counts_.size()) - 1))];
        ++total_;
    }
    std::size_t quantile(double part) const {
        auto left = static_cast<std::uint64_t>(part * static_cast<double>(total_));
        for (std::size_t micros = 0; micros < counts_.size(); ++micros) {
            if (counts_[micros] > left) {
                return micros;
            }
            left -= counts_[micros];
        }
        return 0;
    }
    void clear() {
        std::fill(counts_.begin(), counts_.end(), 0);
        total_ = 0;
    }

private:
    std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(1'000'000);
    std::uint64_t total_ = 0;
};

struct Connection {
    int socket = -1;
    bool connected = false;
    bool ready = false;
    bool blocked = false;
    std::unique_ptr<Conversation> conversation;
    std::string in;                          // an unfinished message
    std::string out;                         // what the socket has not taken
    std::vector<Clock::time_point> sent_at;  // ring of the requests under way
    unsigned oldest = 0;
    unsigned under_way = 0;
};

class Load {
public:
    Load(const Options& options, std::vector<Connection> connections)
        : options_{options},
          connections_{std::move(connections)},
          cpu_{options.text("pids", "")},
          outstanding_{options.whole("outstanding", 1)},
          broadcast_{options.has("broadcast")} {
        poller_ = epoll_create1(EPOLL_CLOEXEC);
        for (auto& connection : connections_) {
            connection.sent_at.resize(broadcast_ ? 0 : outstanding_);
        }
    }

    void run() {
        open_all();
        if (options_.has("idle")) {
            hold();
            return;
        }
        issue();
        turns_until(Clock::now() + seconds("warm-up", 0.3));
        if (options_.has("hold")) {
            drain();
            hold();
        }
        const auto report_before = control_report();
        round_trips_.clear();
        const auto replies_before = replies_;
        const auto cpu_before = cpu_.now();
        const auto started = Clock::now();
        if (!issuing_) {
            issue();
        }
        turns_until(started + seconds("seconds", 1));
        if (options_.has("hold")) {
            drain();  // what is counted outside is then exactly this number of replies
        }
        const auto cpu_spent = cpu_.now() - cpu_before;
        const auto elapsed = std::chrono::duration<double>(Clock::now() - started).count();
        const auto replies = replies_ - replies_before;
        drain();
        const auto report_after = control_report();
        std::printf(
            "{\"%s\": %llu, \"seconds\": %.6f, \"server_cpu_seconds\": %.9f, \"rtt_p50_us\": %zu, \"rtt_p99_us\": %zu",
            broadcast_ ? "deliveries" : "replies", static_cast<unsigned long long>(replies), elapsed,
            static_cast<double>(cpu_spent) / 1e9, round_trips_.quantile(0.5), round_trips_.quantile(0.99));
        if (!report_after.empty()) {
            std::printf(", \"report_before\": %s, \"report_after\": %s", report_before.c_str(), report_after.c_str());
        }
        std::printf("}\n");
    }

private:
    std::chrono::nanoseconds seconds(const std::string& name, double otherwise) const {
        return std::chrono::nanoseconds{static_cast<std::int64_t>(options_.number(name, otherwise) * 1e9)};
    }
    std::size_t receivers() const { return connections_.size() - (broadcast_ ? 1 : 0); }
    std::string where(const Connection& connection) const {
        return "connection " + std::to_string(&connection - connections_.data() + 1) + " of " +
               std::to_string(connections_.size());
    }

    void open_all() {
        std::size_t next = 0;
        while (ready_ < connections_.size()) {
            while (next < connections_.size() && next - ready_ < opening_max) {
                open(next++);
            }
            turn(100);
        }
    }

    void open(std::size_t index) {
        auto& connection = connections_[index];
        const bool sender = broadcast_ && index == receivers();
        const auto port = options_.whole(sender && options_.has("sender-port") ? "sender-port" : "port", 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connection.socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int one = 1;
        const linger reset{1, 0};  // leaves no TIME_WAIT behind, of which thousands would slow the next round
        setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(connection.socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        const auto result = connect(connection.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        if (connection.socket < 0 || (result != 0 && errno != EINPROGRESS)) {
            fail(where(connection) + ": " + std::strerror(errno));
        }
        watch(EPOLL_CTL_ADD, index, EPOLLIN | EPOLLOUT);
    }

    void watch(int operation, std::size_t index, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.u64 = index;
        if (epoll_ctl(poller_, operation, connections_[index].socket, &event) != 0) {
            fail(std::string{"epoll_ctl: "} + std::strerror(errno));
        }
    }

    void turn(int timeout_ms) {
        epoll_event events[512];
        const int count = epoll_wait(poller_, events, 512, timeout_ms);
        if (count > 0) {
            progress_ = Clock::now();
        } else if (Clock::now() - progress_ > patience) {
            fail("no byte came for 20 seconds; ready connections: " + std::to_string(ready_) + " of " +
                 std::to_string(connections_.size()));
        }
        for (int i = 0; i < count; ++i) {
            if (events[i].data.u64 == standard_input) {
                released_ = true;
                continue;
            }
            const auto index = static_cast<std::size_t>(events[i].data.u64);
            auto& connection = connections_[index];
            if ((events[i].events & EPOLLOUT) != 0) {
                writable(index);
            }
            if ((events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
                receive(index);
            }
            send_waiting(connection, index);
        }
        if (broadcast_) {
            next_rounds();
        }
    }

    void writable(std::size_t index) {
        auto& connection = connections_[index];
        if (!connection.connected) {
            connection.connected = true;
            connection.conversation->open(connection.out);
            check_ready(connection);
            watch(EPOLL_CTL_MOD, index, EPOLLIN);
        } else if (connection.blocked) {
            connection.blocked = false;
            watch(EPOLL_CTL_MOD, index, EPOLLIN);
        }
    }

    void check_ready(Connection& connection) {
        if (!connection.ready && connection.conversation->ready()) {
            connection.ready = true;
            ++ready_;
        }
    }

    void receive(std::size_t index) {
        auto& connection = connections_[index];
        const auto size = recv(connection.socket, bytes_, sizeof bytes_, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (size <= 0) {
            fail(where(connection) + (size == 0 ? ": closed by the server" : std::string{": "} + std::strerror(errno)));
        }
        std::string_view view{bytes_, static_cast<std::size_t>(size)};
        if (!connection.in.empty()) {
            connection.in.append(view);
            view = connection.in;
        }
        Found found;
        const auto used = connection.conversation->received(view, connection.out, found);
        if (!found.error.empty()) {
            fail(where(connection) + ": " + found.error);
        }
        if (connection.in.empty()) {
            connection.in.assign(view.substr(used));
        } else {
            connection.in.erase(0, used);
        }
        check_ready(connection);
        if (broadcast_) {
            replies_ += index < receivers() ? found.pushes : 0;
        } else {
            account(connection, found.replies);
        }
    }

    // Counts the replies and asks again for each.
    void account(Connection& connection, unsigned replies) {
        if (replies > connection.under_way) {
            fail(where(connection) + ": more replies than requests");
        }
        replies_ += replies;
        const auto now = Clock::now();
        for (unsigned i = 0; i < replies; ++i) {
            round_trips_.add(now - connection.sent_at[connection.oldest]);
            connection.oldest = (connection.oldest + 1) % outstanding_;
            --connection.under_way;
        }
        if (issuing_) {
            top_up(connection, now);
        }
    }

    void top_up(Connection& connection, Clock::time_point now) {
        while (connection.under_way < outstanding_) {
            connection.sent_at[(connection.oldest + connection.under_way) % outstanding_] = now;
            ++connection.under_way;
            connection.conversation->request(connection.out);
        }
    }

    void send_waiting(Connection& connection, std::size_t index) {
        if (connection.out.empty() || connection.blocked || !connection.connected) {
            return;
        }
        const auto sent = send(connection.socket, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            fail(where(connection) + ": " + std::strerror(errno));
        }
        connection.out.erase(0, sent > 0 ? static_cast<std::size_t>(sent) : 0);
        if (!connection.out.empty()) {
            connection.blocked = true;
            watch(EPOLL_CTL_MOD, index, EPOLLIN | EPOLLOUT);
        }
    }

    // Starts the flow of requests.
    void issue() {
        issuing_ = true;
        if (broadcast_) {
            next_rounds();
            return;
        }
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            top_up(connections_[i], Clock::now());
            send_waiting(connections_[i], i);
        }
    }

    // A round is complete when as many messages arrived as it has receivers.
    void next_rounds() {
        const auto completed = replies_ / receivers();
        while (rounds_timed_ < completed) {
            round_trips_.add(Clock::now() - round_sent_at_[rounds_timed_++ % outstanding_]);
        }
        auto& sender = connections_.back();
        while (issuing_ && rounds_ - completed < outstanding_) {
            round_sent_at_.resize(outstanding_);
            round_sent_at_[rounds_++ % outstanding_] = Clock::now();
            sender.conversation->request(sender.out);
        }
        send_waiting(sender, connections_.size() - 1);
    }

    void turns_until(Clock::time_point deadline) {
        while (Clock::now() < deadline) {
            turn(1);
        }
    }

    void drain() {
        issuing_ = false;
        const auto done = [this] {
            return broadcast_ ? replies_ == rounds_ * receivers()
                              : std::all_of(connections_.begin(), connections_.end(),
                                            [](const auto& one) { return one.under_way == 0; });
        };
        while (!done()) {
            turn(1);
        }
    }

    void hold() {
        std::printf("READY\n");
        std::fflush(stdout);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = standard_input;
        epoll_ctl(poller_, EPOLL_CTL_ADD, STDIN_FILENO, &event);
        while (!released_) {
            progress_ = Clock::now();  // silence is what is wanted here
            turn(100);
        }
        epoll_ctl(poller_, EPOLL_CTL_DEL, STDIN_FILENO, nullptr);
    }

    // The server's own account of its rounds, when the other side is raw_broadcast; drained before it is asked.
    std::string control_report() {
        const auto* control =
            broadcast_ ? dynamic_cast<const RawControl*>(connections_.back().conversation.get()) : nullptr;
        if (control == nullptr) {
            return {};
        }
        drain();
        const auto before = control->report();
        RawControl::ask_for_report(connections_.back().out);
        send_waiting(connections_.back(), connections_.size() - 1);
        while (control->report() == before) {
            turn(1);
        }
        return control->report();
    }

    static constexpr std::uint64_t standard_input = ~std::uint64_t{0};
    Options options_;
    std::vector<Connection> connections_;
    CpuClocks cpu_;
    unsigned outstanding_;
    bool broadcast_;
    int poller_ = -1;
    std::size_t ready_ = 0;
    bool issuing_ = false;
    bool released_ = false;
    std::uint64_t replies_ = 0;  // with --broadcast: messages delivered
    std::uint64_t rounds_ = 0;
    std::uint64_t rounds_timed_ = 0;
    std::vector<Clock::time_point> round_sent_at_;
    RoundTrips round_trips_;
    Clock::time_point progress_ = Clock::now();
    char bytes_[64 * 1024];
};

std::vector<std::string> read_lines(const std::string& path, std::size_t count) {
    std::ifstream file{path};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    if (lines.size() < count) {
        fail("--tokens " + path + ": " + std::to_string(lines.size()) + " tokens for " + std::to_string(count) +
             " connections");
    }
    return lines;
}

std::vector<Connection> connections_of(const Options& options) {
    const auto mode = options.text("mode", "");
    const auto receivers = options.whole("connections", 1);
    const bool broadcast = options.has("broadcast");
    const auto request = options.text("request", "echo");
    if ((mode != "raw" && mode != "framed" && mode != "gs") || !options.has("port") || receivers == 0 ||
        options.whole("outstanding", 1) == 0 || (mode == "framed" && broadcast) ||
        (request != "echo" && request != "save")) {
        std::fputs(usage, stderr);
        std::exit(2);
    }
    std::vector<Connection> connections(receivers + (broadcast ? 1 : 0));
    const auto tokens =
        mode == "gs" ? read_lines(options.text("tokens", ""), connections.size()) : std::vector<std::string>{};
    for (std::uint32_t i = 0; i < connections.size(); ++i) {
        const bool sender = broadcast && i == receivers;
        std::unique_ptr<Conversation> conversation;
        if (mode == "gs") {
            auto kind = request == "save" ? GsRequest::save : GsRequest::echo;
            if (broadcast) {
                kind = sender ? GsRequest::broadcast : GsRequest::receive;
            }
            conversation = std::make_unique<GsConversation>(i, tokens[i], kind);
        } else if (mode == "framed") {
            conversation = std::make_unique<FramedConversation>(i);
        } else if (sender) {
            conversation = std::make_unique<RawControl>();
        } else if (broadcast) {
            conversation = std::make_unique<RawReceiver>();
        } else {
            conversation = std::make_unique<RawConversation>();
        }
        connections[i].conversation = std::move(conversation);
    }
    return connections;
}

}  // namespace
}  // namespace gs::bench

int main(int count, char** arguments) {
    const auto options = gs::bench::Options::parse(count, arguments);
    const auto load = std::make_unique<gs::bench::Load>(options, gs::bench::connections_of(options));
    load->run();
    return 0;
}
