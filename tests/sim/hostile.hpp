#pragma once
// A client that means harm: garbage at every stage, absurd lengths, forged and stale tokens, half frames, silence, and
// floods that it never reads the answers of. Owner: lives as long as the simulation. Loop: the clients'.
#include "tests/sim/bot.hpp"

namespace gs::sim {

class Hostile final : private transport::ConnectionHandler {
public:
    Hostile(BotWorld& world, std::uint64_t seed, std::string host);

    void start() { again_later(); }
    void end();

private:
    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;

    void again_later();
    void connect();
    void attack();
    void say_hello();
    void enter(const std::string& token);
    void send_random(std::size_t bytes);
    void send_frame_length(std::uint32_t length);
    void flood();

    BotWorld& world_;
    Random random_;
    std::string host_;
    std::shared_ptr<transport::Connection> connection_;
    std::uint64_t attempt_ = 0;
    bool ended_ = false;
};

}  // namespace gs::sim
