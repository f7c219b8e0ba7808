// Drives the connections: one thread, one epoll loop, as many requests under way as are asked for.
#pragma once

#include "conversation.hpp"
#include "meters.hpp"

#include <functional>

namespace gs::bench {

struct TrafficShape {
    unsigned port = 0;
    unsigned sender_port = 0;
    unsigned connections = 1;  // the sender included
    unsigned outstanding = 1;  // requests under way on each connection; with broadcast, rounds under way
    bool broadcast = false;    // the last connection sends, all others receive
    bool logins = false;       // a connection is made anew as soon as it is ready; `outstanding` is 1
    unsigned active = 0;       // so many ask, by the clock; 0: all, as answers come
    double rate = 1;           // requests per second of each active one
};

class Traffic {
public:
    // The client's side of the connection with this index; asked again for each login.
    using Speaker = std::function<std::unique_ptr<Conversation>(std::uint32_t)>;

    Traffic(const TrafficShape& shape, Speaker speaker);

    // Connects all; returns when each is ready for requests.
    void open_all();
    // Starts the flow of requests.
    void issue();
    void turns_until(Clock::time_point deadline);
    // Asks for nothing more and returns when everything asked for is answered.
    void drain();
    // Says READY and handles what comes until something is written to standard input, or it ends.
    void hold();
    // The server's own account of its rounds, when the other side is raw_broadcast; drained before it is asked.
    std::string control_report();

    bool issuing() const { return issuing_; }
    std::uint64_t replies() const { return replies_; }  // with broadcast: messages delivered
    RoundTrips& round_trips() { return round_trips_; }

private:
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

    std::size_t receivers() const { return connections_.size() - (shape_.broadcast ? 1 : 0); }
    std::string where(const Connection& connection) const;
    void open(std::size_t index);
    void watch(int operation, std::size_t index, std::uint32_t events);
    void turn(int timeout_ms);
    void writable(std::size_t index);
    void check_ready(Connection& connection);
    void receive(std::size_t index);
    void account(Connection& connection, unsigned replies);
    void top_up(Connection& connection, Clock::time_point now);
    void send_waiting(Connection& connection, std::size_t index);
    void next_rounds();
    void log_in_again(std::size_t index);
    void send_due();

    TrafficShape shape_;
    Speaker speaker_;
    std::vector<Connection> connections_;
    int poller_ = -1;
    std::size_t ready_ = 0;
    bool issuing_ = false;
    bool released_ = false;
    std::uint64_t replies_ = 0;
    std::uint64_t rounds_ = 0;
    std::uint64_t rounds_timed_ = 0;
    Clock::time_point paced_since_;
    std::uint64_t paced_ = 0;  // requests sent by the clock
    std::vector<Clock::time_point> round_sent_at_;
    RoundTrips round_trips_;
    Clock::time_point progress_ = Clock::now();
    char bytes_[64 * 1024];
};

}  // namespace gs::bench
