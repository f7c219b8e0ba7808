// A nickname of its own that nobody else gets, and a counter in the motto whose every confirmed value must stay.
#include <charconv>
#include <optional>

#include "client/bots/bot.hpp"
#include "modules/profile/messages.hpp"

namespace gs::bots {

namespace {

std::string base36(std::uint64_t number) {
    std::string digits;
    do {
        digits.insert(digits.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
        number /= 36;
    } while (number > 0);
    return digits;
}

/// The n of "n=<n>"; 0 for a motto that was never set.
std::optional<std::uint64_t> counter_of(std::string_view motto) {
    if (motto.empty()) return 0;
    if (!motto.starts_with("n=")) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(motto.data() + 2, motto.data() + motto.size(), number);
    if (error != std::errc{} || end != motto.data() + motto.size()) return std::nullopt;
    return number;
}

class ProfileScenario final : public Scenario {
public:
    explicit ProfileScenario(Bot& bot)
        : bot_{bot}, nickname_{fmt::format("b{}x{}", bot.run().name, base36(bot.index()))} {}

    asio::awaitable<void> begin() override {
        if (attempted_ > 0) co_await view_own();
        if (bot_.card().nickname.empty()) co_await claim();
    }

    asio::awaitable<void> act() override {
        const auto choice = bot_.random(20);
        if (bot_.card().nickname.empty()) {
            co_await claim();
        } else if (choice == 0) {
            co_await claim_taken();
        } else if (choice < 3) {
            co_await view_own();
        } else if (choice < 5) {
            co_await view_next();
        } else {
            co_await change_motto();
        }
    }

private:
    asio::awaitable<void> claim() {
        profile::SetNickname message;
        message.nickname = nickname_;
        const auto done = co_await bot_.request(std::move(message));
        if (!done) {
            bot_.judge(done.error(), "set a nickname");
            co_return;
        }
        bot_.card().nickname = nickname_;
        write_ledger();
    }

    asio::awaitable<void> claim_taken() {
        profile::SetNickname message;
        message.nickname = bot_.next().nickname;
        if (message.nickname.empty() || message.nickname == nickname_) co_return;
        const auto done = co_await bot_.request(std::move(message));
        if (done) {
            bot_.fail("profile: it got the nickname '{}', which player {} has", bot_.next().nickname,
                      bot_.next().player);
        } else if (done.error().code() != Code::conflict) {
            bot_.judge(done.error(), "claim a nickname that is taken");
        }
    }

    asio::awaitable<void> change_motto() {
        const auto number = ++attempted_;
        write_ledger();
        profile::SetMotto message;
        message.motto = fmt::format("n={}", number);
        const auto done = co_await bot_.request(std::move(message));
        if (!done) {
            bot_.judge(done.error(), "set the motto");
            co_return;
        }
        confirmed_ = number;
        write_ledger();
    }

    asio::awaitable<void> view_own() {
        const profile::ViewOwnProfile message;
        const auto own = co_await bot_.request(message);
        if (!own) {
            bot_.judge(own.error(), "view the own profile");
            co_return;
        }
        if (own->shown.player != bot_.card().player)
            bot_.fail("profile: asked for its own and got that of player {}", own->shown.player);
        const auto number = counter_of(own->shown.motto);
        if (!number || *number < confirmed_ || *number > attempted_) {
            bot_.fail("profile: the motto is '{}'; confirmed was n={}, asked for at most n={}", own->shown.motto,
                      confirmed_, attempted_);
        }
        check_nickname(own->shown, bot_.card());
    }

    asio::awaitable<void> view_next() {
        const auto& card = bot_.next();
        if (card.nickname.empty()) co_return;
        profile::ViewProfile message;
        message.player = card.player;
        const auto shown = co_await bot_.request(message);
        if (!shown) {
            bot_.judge(shown.error(), "view another profile");
            co_return;
        }
        if (shown->player != card.player)
            bot_.fail("profile: asked for player {} and got {}", card.player, shown->player);
        check_nickname(*shown, card);
    }

    void check_nickname(const profile::PublicProfile& shown, const BotCard& card) {
        if (card.nickname.empty() || shown.nickname == card.nickname) return;
        bot_.fail("profile: the nickname of player {} is '{}'; '{}' was confirmed", card.player, shown.nickname,
                  card.nickname);
    }

    void write_ledger() {
        LedgerEntry entry;
        entry.player = bot_.card().player;
        entry.confirmed = confirmed_;
        entry.attempted = attempted_;
        entry.nickname = bot_.card().nickname;
        bot_.run().ledger.add(entry);
    }

    Bot& bot_;
    std::string nickname_;
    std::uint64_t confirmed_ = 0, attempted_ = 0;
};

}  // namespace

std::unique_ptr<Scenario> make_profile(Bot& bot) { return std::make_unique<ProfileScenario>(bot); }

}  // namespace gs::bots
