// Texts of all lengths that must come back as they were sent.
#include "client/bots/bot.hpp"
#include "modules/echo/messages.hpp"

namespace gs::bots {

namespace {

class EchoScenario final : public Scenario {
public:
    explicit EchoScenario(Bot& bot) : bot_{bot} {}

    asio::awaitable<void> begin() override { co_return; }

    asio::awaitable<void> act() override {
        const auto text = fmt::format("bot {} text {} {}", bot_.index(), ++count_, std::string(bot_.random(64), 'x'));
        echo::Echo message;
        message.text = text;
        const auto reply = co_await bot_.request(std::move(message));
        if (!reply) {
            bot_.judge(reply.error(), "echo");
        } else if (reply->text != text) {
            bot_.fail("echo: sent '{}' and got '{}' back", text, reply->text);
        }
    }

private:
    Bot& bot_;
    std::uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<Scenario> make_echo(Bot& bot) { return std::make_unique<EchoScenario>(bot); }

}  // namespace gs::bots
