// Gold for the bots beside it in the ring, and payments. Each change has a name of its own: a bot that is not told how
// one ended asks for the same one again, and nothing else before. What was asked and how it ended is in the ledger;
// whether the database agrees, an audit finds out afterwards.
#include <optional>
#include <set>

#include "client/bots/bot.hpp"
#include "modules/trade/messages.hpp"

namespace gs::bots {

namespace {

constexpr std::uint64_t gold_max = 9;

std::int64_t unix_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

struct Change {
    std::string name;
    PlayerId to{};  ///< nobody: a payment
    std::uint64_t gold = 0;
    bool is_unsure = false;  ///< an earlier try may have been done
    [[nodiscard]] bool is_payment() const { return to == PlayerId{}; }
};

class TradeScenario final : public Scenario {
public:
    explicit TradeScenario(Bot& bot) : bot_{bot} {
        bot_.on<trade::Given>([this](const trade::Given& given) { hear(given); });
    }

    asio::awaitable<void> begin() override { co_return; }

    asio::awaitable<void> act() override {
        if (open_) {
            // Two who ask each other at the same moments are busy for each other each time: not always at once.
            if (bot_.random(2) == 0) co_await ask();
            co_return;
        }
        const auto choice = bot_.random(10);
        if (choice == 0 && !bot_.card().payment.empty()) {
            co_await redeem_again();
        } else if (choice == 1 && !bot_.next().payment.empty()) {
            co_await redeem_of_next();
        } else if (choice < 4) {
            begin_change(PlayerId{});
            co_await ask();
        } else {
            const auto& partner = choice < 7 ? bot_.next() : bot_.previous();
            if (!partner.playing || partner.player == bot_.card().player) co_return;
            begin_change(partner.player);
            co_await ask();
        }
    }

private:
    void begin_change(PlayerId to) {
        open_.emplace();
        open_->name = fmt::format("{}-{}-{}", bot_.run().name, bot_.index(), ++number_);
        open_->to = to;
        open_->gold = 1 + bot_.random(gold_max);
        const auto kind = open_->is_payment() ? std::string{R"("kind":"payment")"}
                                              : fmt::format(R"("kind":"give","to":"{}")", open_->to);
        bot_.run().ledger.add_line(
            fmt::format(R"({{"player":"{}","change":"{}",{},"gold":{},"state":"asked","at":{}}})", bot_.card().player,
                        open_->name, kind, open_->gold, unix_ms()));
    }

    asio::awaitable<void> ask() {
        const auto began = client::Clock::now();
        Result<trade::Balance> answer = Error{Code::unavailable, "not asked"};
        if (open_->is_payment()) {
            auto redeemed = co_await redeem(open_->name, open_->gold);
            answer = std::move(redeemed);
        } else {
            trade::Give give;
            give.to = open_->to;
            give.gold = open_->gold;
            give.deal = open_->name;
            auto given = co_await bot_.request(std::move(give));
            answer = std::move(given);
        }
        const auto state = judge(answer);
        bot_.run().ledger.add_line(fmt::format(
            R"({{"player":"{}","change":"{}","state":"{}","at":{},"us":{}}})", bot_.card().player, open_->name, state,
            unix_ms(), std::chrono::duration_cast<std::chrono::microseconds>(client::Clock::now() - began).count()));
        if (state == "done" && open_->is_payment()) bot_.card().payment = open_->name;
        open_->is_unsure = true;
        if (state != "unknown") open_.reset();
    }

    /// What the ledger calls it.
    std::string_view judge(const Result<trade::Balance>& answer) {
        if (answer) return "done";
        const auto code = answer.error().code();
        const bool may_refuse = !open_->is_payment() && (code == Code::conflict || code == Code::not_found);
        if (may_refuse) return "refused";
        switch (bot_.judge(answer.error(), open_->is_payment() ? "redeem a payment" : "give gold")) {
            case Refusal::unknown:
                return "unknown";
            case Refusal::not_done:  // this time
                return open_->is_unsure ? "unknown" : "refused";
            case Refusal::wrong:
                break;
        }
        return "refused";
    }

    asio::awaitable<void> redeem_again() {
        const auto payment = bot_.card().payment;
        const auto answer = co_await redeem(payment, gold_max);
        if (!answer) bot_.judge(answer.error(), "redeem a payment again");
    }

    asio::awaitable<void> redeem_of_next() {
        const auto payment = bot_.next().payment;
        const auto answer = co_await redeem(payment, gold_max);
        if (answer) {
            bot_.fail("trade: it redeemed payment {}, which player {} had redeemed", payment, bot_.next().player);
        } else if (answer.error().code() != Code::conflict) {
            bot_.judge(answer.error(), "redeem a payment of another player");
        }
    }

    asio::awaitable<Result<trade::Balance>> redeem(std::string payment, std::uint64_t gold) {
        trade::Redeem message;
        message.payment = std::move(payment);
        message.gold = gold;
        co_return co_await bot_.request(std::move(message));
    }

    void hear(const trade::Given& given) {
        if (!given.deal.starts_with(bot_.run().name + "-")) return;
        if (given.from != bot_.next().player && given.from != bot_.previous().player)
            bot_.fail("trade: player {} gave it gold; only its neighbours do", given.from);
        if (!heard_.insert(given.deal).second) bot_.fail("trade: it was told twice of deal {}", given.deal);
    }

    Bot& bot_;
    std::optional<Change> open_;
    std::uint64_t number_ = 0;
    std::set<std::string> heard_;
};

}  // namespace

std::unique_ptr<Scenario> make_trade(Bot& bot) { return std::make_unique<TradeScenario>(bot); }

}  // namespace gs::bots
