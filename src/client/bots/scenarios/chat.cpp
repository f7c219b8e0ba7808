// Lines in channels of about 50 bots, and whispers to the next bot: each must come once, in order, and none be missing.
#include "client/bots/bot.hpp"
#include "client/bots/chat_check.hpp"
#include "client/bots/whispers.hpp"
#include "modules/chat/messages.hpp"

namespace gs::bots {

namespace {

constexpr std::size_t channel_members = 50;

class ChatScenario final : public Scenario {
public:
    explicit ChatScenario(Bot& bot)
        : bot_{bot},
          channel_{fmt::format("bots-{}-{}", bot.run().name,
                               bot.index() % std::max<std::size_t>(1, bot.run().options.count / channel_members))},
          lines_{[&bot](const std::string& problem) { bot.fail("chat: {}", problem); },
                 [&bot](const std::string& gap) { bot.survives() ? bot.count_gap() : bot.fail("chat: {}", gap); }},
          whispers_{bot, bot.survives()} {
        bot_.on<chat::Said>([this](const chat::Said& said) {
            if (said.channel == channel_) lines_.received(said.line);
        });
    }

    asio::awaitable<void> begin() override { co_await join(); }

    asio::awaitable<void> act() override {
        if (!member_) {
            co_await join();
        } else if (bot_.random(5) == 0 && whispers_.possible()) {
            co_await whispers_.whisper();
        } else {
            co_await say();
        }
    }

    [[nodiscard]] bool settled() const override { return lines_.missing() == 0 && whispers_.missing() == 0; }

    void finish() override {
        if (bot_.survives()) return;
        if (lines_.missing() > 0) bot_.fail("chat: {} own lines were confirmed and never came", lines_.missing());
        if (whispers_.missing() > 0)
            bot_.fail("chat: {} whispers to it were confirmed and never came", whispers_.missing());
    }

    // Lines said while the connection was lost do not come: the channel begins anew with its last lines.
    void resumed(bool gap) override {
        leave();
        whispers_.resumed(gap);
    }
    void lost() override {
        leave();
        whispers_.lost();
    }

private:
    void leave() {
        member_ = false;
        lines_.left();
    }

    asio::awaitable<void> join() {
        chat::Join message;
        message.channel = channel_;
        const auto joined = co_await bot_.request(std::move(message));
        if (!joined) {
            bot_.judge(joined.error(), "join a channel");
            co_return;
        }
        member_ = true;
        lines_.joined(bot_.card().player, joined->last_lines);
    }

    asio::awaitable<void> say() {
        const auto text = fmt::format("bot {} line {}", bot_.index(), ++said_);
        lines_.saying(text);
        chat::Say message;
        message.channel = channel_;
        message.text = text;
        const auto said = co_await bot_.request(std::move(message));
        if (said) {
            if (member_) lines_.confirmed(text, said->line);
            co_return;
        }
        const bool not_a_member = said.error().code() == Code::not_found || said.error().code() == Code::forbidden;
        if (bot_.survives() && not_a_member) {
            lines_.not_said(text);
            leave();  // the channel was lost with its server: join again
            co_return;
        }
        const auto refusal = bot_.judge(said.error(), "say a line");
        if (refusal == Refusal::not_done) lines_.not_said(text);
        if (refusal == Refusal::unknown) leave();
    }

    Bot& bot_;
    std::string channel_;
    ChannelCheck lines_;
    Whispers whispers_;
    bool member_ = false;
    std::uint64_t said_ = 0;
};

}  // namespace

std::unique_ptr<Scenario> make_chat(Bot& bot) { return std::make_unique<ChatScenario>(bot); }

}  // namespace gs::bots
