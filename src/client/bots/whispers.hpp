#pragma once
// The whispers of one bot: numbered ones to the next bot, and the check of those that come from the previous one.
// Owner: a scenario, which does not listen to chat::Whispered itself.
#include <asio/awaitable.hpp>

#include "client/bots/chat_check.hpp"

namespace gs::bots {

class Bot;

class Whispers {
public:
    /// `holes_allowed`: a number may be missing for no reason that this bot knows.
    Whispers(Bot& bot, bool holes_allowed);

    /// There is somebody to whisper to.
    [[nodiscard]] bool possible() const;
    asio::awaitable<void> whisper();
    void resumed(bool gap);
    void lost() { check_.interrupted(); }
    /// Confirmed to the previous bot, not heard yet, and due.
    [[nodiscard]] std::uint64_t missing() const;

private:
    void hear(const chat::Whispered& whispered);

    Bot& bot_;
    WhisperCheck check_;
    std::uint64_t number_ = 0;  // of the last whisper that was done, or may have been
    bool asking_ = false;
};

}  // namespace gs::bots
