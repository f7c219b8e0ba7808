#include "client/bots/whispers.hpp"

#include <charconv>

#include "client/bots/bot.hpp"

namespace gs::bots {

Whispers::Whispers(Bot& bot, bool holes_allowed)
    : bot_{bot}, check_{[&bot](const std::string& problem) { bot.fail("chat: {}", problem); }, holes_allowed} {
    bot_.on<chat::Whispered>([this](const chat::Whispered& whispered) { hear(whispered); });
}

bool Whispers::possible() const { return bot_.run().cards.size() > 1 && bot_.next().playing; }

asio::awaitable<void> Whispers::whisper() {
    const auto number = number_ + 1;
    chat::Whisper message;
    message.to = bot_.next().player;
    message.text = fmt::format("bots-{} {} {}", bot_.run().name, bot_.index(), number);
    asking_ = true;
    const auto done = co_await bot_.request(std::move(message));
    asking_ = false;
    if (done) {
        number_ = number;
        bot_.card().whispers_confirmed = number;
        co_return;
    }
    const bool is_away = done.error().code() == Code::not_found;
    if (is_away && (bot_.survives() || !bot_.next().playing)) co_return;
    if (bot_.judge(done.error(), "whisper") != Refusal::unknown) co_return;
    number_ = number;
    bot_.card().whispers_unsure.insert(number);
}

void Whispers::resumed(bool gap) {
    if (!gap) return;
    check_.interrupted();
    // A server that is lost may have done what it did not answer; the client asks again.
    if (asking_) bot_.card().whispers_unsure.insert(number_ + 1);
}

void Whispers::hear(const chat::Whispered& whispered) {
    const auto start = fmt::format("bots-{} ", bot_.run().name);
    if (!whispered.text.starts_with(start)) return;
    const auto space = whispered.text.rfind(' ');
    std::uint64_t number = 0;
    std::from_chars(whispered.text.data() + space + 1, whispered.text.data() + whispered.text.size(), number);
    if (whispered.from != bot_.previous().player) {
        bot_.fail("chat: '{}' came from player {}; only {} whispers to it", whispered.text, whispered.from,
                  bot_.previous().player);
        return;
    }
    check_.received(number, bot_.previous().whispers_unsure);
}

std::uint64_t Whispers::missing() const {
    const auto confirmed = bot_.previous().whispers_confirmed;
    return confirmed > check_.last() && !check_.is_interrupted() ? confirmed - check_.last() : 0;
}

}  // namespace gs::bots
