#pragma once
// A client that means harm: garbage at every stage, absurd lengths, forged and stale tokens, half frames, silence,
// floods that it never reads the answers of, and the sessions of others: with a proof of its own making, or one that it
// has overheard. Owner: lives as long as the simulation. Loop: the clients'.
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
    void enter(const wire::Enter& enter);
    void enter(const std::string& token);
    void forge_resume();
    void replay_resume();
    void send_random(std::size_t bytes);
    void send_frame_length(std::uint32_t length);
    void flood();

    BotWorld& world_;
    Random random_;
    std::string host_;
    std::shared_ptr<transport::Connection> connection_;
    Buffer input_;
    bool must_be_refused_ = false;  // whatever it was that it entered with
    std::uint64_t attempt_ = 0;
    bool ended_ = false;
};

}  // namespace gs::sim
