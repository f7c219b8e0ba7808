// Numbered whispers to the next bot: what comes from the previous one must be 1, 2, 3 ... whatever happens to
// connections. Only the loss of a session, or of a server that had unacknowledged ones, may leave a hole.
#include "client/bots/bot.hpp"
#include "client/bots/whispers.hpp"

namespace gs::bots {

namespace {

class WhisperScenario final : public Scenario {
public:
    explicit WhisperScenario(Bot& bot) : bot_{bot}, whispers_{bot, false} {}

    asio::awaitable<void> begin() override { co_return; }
    asio::awaitable<void> act() override {
        if (whispers_.possible()) co_await whispers_.whisper();
    }
    [[nodiscard]] bool settled() const override { return whispers_.missing() == 0; }
    void finish() override {
        if (whispers_.missing() > 0 && bot_.connected())
            bot_.fail("chat: {} whispers to it were confirmed and never came", whispers_.missing());
    }
    void resumed(bool gap) override { whispers_.resumed(gap); }
    void lost() override { whispers_.lost(); }

private:
    Bot& bot_;
    Whispers whispers_;
};

}  // namespace

std::unique_ptr<Scenario> make_whisper(Bot& bot) { return std::make_unique<WhisperScenario>(bot); }

}  // namespace gs::bots
