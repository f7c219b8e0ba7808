#include "traffic.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace gs::bench {
namespace {

constexpr unsigned opening_max = 256;                // connections between connect() and ready at one time
constexpr auto patience = std::chrono::seconds{20};  // without any progress
constexpr auto standard_input = ~std::uint64_t{0};   // among the connections' indexes

}  // namespace

Traffic::Traffic(const TrafficShape& shape, Speaker speaker)
    : shape_{shape},
      speaker_{std::move(speaker)},
      connections_(shape.connections),
      poller_{epoll_create1(EPOLL_CLOEXEC)} {
    for (auto& connection : connections_) {
        connection.sent_at.resize(shape_.broadcast ? 0 : shape_.outstanding);
    }
}

std::string Traffic::where(const Connection& connection) const {
    return "connection " + std::to_string(&connection - connections_.data() + 1) + " of " +
           std::to_string(connections_.size());
}

void Traffic::open_all() {
    std::size_t next = 0;
    while (ready_ < connections_.size()) {
        while (next < connections_.size() && next - ready_ < opening_max) {
            open(next++);
        }
        turn(100);
    }
}

void Traffic::open(std::size_t index) {
    auto& connection = connections_[index];
    connection.conversation = speaker_(static_cast<std::uint32_t>(index));
    const auto port = index < receivers() ? shape_.port : shape_.sender_port;
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

void Traffic::watch(int operation, std::size_t index, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = index;
    if (epoll_ctl(poller_, operation, connections_[index].socket, &event) != 0) {
        fail(std::string{"epoll_ctl: "} + std::strerror(errno));
    }
}

void Traffic::turn(int timeout_ms) {
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
        if (shape_.logins && issuing_ && connection.ready) {
            log_in_again(index);
        }
        send_waiting(connection, index);
    }
    if (shape_.broadcast) {
        next_rounds();
    }
    if (shape_.active > 0 && issuing_) {
        send_due();
    }
}

void Traffic::writable(std::size_t index) {
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

void Traffic::check_ready(Connection& connection) {
    if (connection.ready || !connection.conversation->ready()) {
        return;
    }
    connection.ready = true;
    ++ready_;
    if (shape_.logins && connection.under_way > 0) {
        account(connection, 1);
    }
}

void Traffic::receive(std::size_t index) {
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
    if (shape_.broadcast) {
        replies_ += index < receivers() ? found.pushes : 0;
    } else {
        account(connection, found.replies);
    }
}

// Counts the replies and asks again for each.
void Traffic::account(Connection& connection, unsigned replies) {
    if (replies > connection.under_way) {
        fail(where(connection) + ": more replies than requests");
    }
    replies_ += replies;
    const auto now = Clock::now();
    for (unsigned i = 0; i < replies; ++i) {
        round_trips_.add(now - connection.sent_at[connection.oldest]);
        connection.oldest = (connection.oldest + 1) % shape_.outstanding;
        --connection.under_way;
    }
    if (issuing_ && !shape_.logins && shape_.active == 0) {
        top_up(connection, now);
    }
}

void Traffic::log_in_again(std::size_t index) {
    auto& connection = connections_[index];
    close(connection.socket);
    auto sent_at = std::move(connection.sent_at);
    connection = {};
    connection.sent_at = std::move(sent_at);
    --ready_;
    connection.sent_at[0] = Clock::now();
    connection.under_way = 1;
    open(index);
}

// One request after the other, spread evenly over the active connections and over time.
void Traffic::send_due() {
    const auto now = Clock::now();
    const auto each = shape_.rate * shape_.active;
    const auto due = static_cast<std::uint64_t>(std::chrono::duration<double>(now - paced_since_).count() * each);
    for (; paced_ < due; ++paced_) {
        const auto index = static_cast<std::size_t>(paced_ % shape_.active);
        auto& connection = connections_[index];
        if (connection.under_way == shape_.outstanding) {
            fail(where(connection) + ": so many requests are not answered: " + std::to_string(connection.under_way));
        }
        connection.sent_at[(connection.oldest + connection.under_way) % shape_.outstanding] = now;
        ++connection.under_way;
        connection.conversation->request(connection.out);
        send_waiting(connection, index);
    }
}

void Traffic::top_up(Connection& connection, Clock::time_point now) {
    while (connection.under_way < shape_.outstanding) {
        connection.sent_at[(connection.oldest + connection.under_way) % shape_.outstanding] = now;
        ++connection.under_way;
        connection.conversation->request(connection.out);
    }
}

void Traffic::send_waiting(Connection& connection, std::size_t index) {
    if (connection.blocked || !connection.connected) {
        return;
    }
    connection.conversation->flush(connection.out);
    if (connection.out.empty()) {
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

void Traffic::issue() {
    issuing_ = true;
    if (shape_.broadcast) {
        next_rounds();
        return;
    }
    if (shape_.active > 0) {
        paced_since_ = Clock::now();
        paced_ = 0;
        return;
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        if (shape_.logins) {
            log_in_again(i);
            continue;
        }
        top_up(connections_[i], Clock::now());
        send_waiting(connections_[i], i);
    }
}

// A round is complete when as many messages arrived as it has receivers.
void Traffic::next_rounds() {
    const auto completed = replies_ / receivers();
    while (rounds_timed_ < completed) {
        round_trips_.add(Clock::now() - round_sent_at_[rounds_timed_++ % shape_.outstanding]);
    }
    auto& sender = connections_.back();
    while (issuing_ && rounds_ - completed < shape_.outstanding) {
        round_sent_at_.resize(shape_.outstanding);
        round_sent_at_[rounds_++ % shape_.outstanding] = Clock::now();
        sender.conversation->request(sender.out);
    }
    send_waiting(sender, connections_.size() - 1);
}

void Traffic::turns_until(Clock::time_point deadline) {
    while (Clock::now() < deadline) {
        turn(1);
    }
}

void Traffic::drain() {
    issuing_ = false;
    const auto done = [this] {
        return shape_.broadcast ? replies_ == rounds_ * receivers()
                                : std::all_of(connections_.begin(), connections_.end(),
                                              [](const auto& one) { return one.under_way == 0; });
    };
    while (!done()) {
        turn(1);
    }
}

void Traffic::hold() {
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

std::string Traffic::control_report() {
    const auto* control =
        shape_.broadcast ? dynamic_cast<const RawControl*>(connections_.back().conversation.get()) : nullptr;
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

}  // namespace gs::bench
