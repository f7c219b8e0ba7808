#pragma once
// A client with a session of its own that sends every request more than once: on the same connection, and again on the
// next one, through any gateway, though the server has said that it has it. Each must be done once. It writes its frames
// itself, since the client kit would never do that. Owner: lives as long as the simulation. Loop: the clients'.
#include "tests/sim/bot.hpp"

namespace gs::sim {

class Resender final : private transport::ConnectionHandler {
public:
    /// Nobody else plays `player`.
    Resender(BotWorld& world, std::uint64_t seed, std::string host, PlayerId player);

    void start() { again_later(); }
    void end();

private:
    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;

    void again_later();
    void connect();
    void take(BytesView payload);
    void take_hello(BytesView payload);
    void take_entered(const wire::MessageView& message);
    void take_reply(const wire::MessageView& message);
    void send_request(std::uint64_t id);
    void act_later();
    void act();
    void drop_connection();

    BotWorld& world_;
    Random random_;
    std::string host_;
    PlayerId player_;
    std::shared_ptr<transport::Connection> connection_;
    Buffer input_;
    bool greeted_ = false, entered_ = false, ended_ = false;
    std::uint64_t attempt_ = 0;
    // The session.
    std::uint64_t session_ = 0;
    Binary key_;
    std::uint64_t received_ = 0, answered_ = 0;
    std::vector<std::uint64_t> deposits_;  // the gold of each request: request 1 is the first one
    // Of all sessions: what it has asked for, each request counted once.
    std::uint64_t asked_ = 0;
};

}  // namespace gs::sim
