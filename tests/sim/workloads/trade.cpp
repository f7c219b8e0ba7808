#include "tests/sim/workloads/trade.hpp"

#include <iterator>

namespace gs::sim {

namespace {

/// As the module stores it.
struct Purse {
    std::uint64_t gold = 0;
    bool opened = false;
    FIELDS(gold, opened)
};

}  // namespace

// --- the ledger ------------------------------------------------------------------------------------------------------

void TradeLedger::stored(const storage::Commit& commit) {
    // What each purse gains, but for payments: those come from outside.
    std::map<PlayerId, std::int64_t> changes;
    std::int64_t sum = 0;
    for (const auto& write : commit.entities) {
        for (const auto& component : write.components) {
            if (component.name != "purse") continue;
            const auto gold = from_json<Purse>(component.data).value().gold;
            auto& balances = balances_[PlayerId{write.key.id}];
            const auto before = balances.empty() ? first_gold : balances.back();
            if (balances.empty() || gold != before) balances.push_back(gold);
            const auto change = static_cast<std::int64_t>(gold) - static_cast<std::int64_t>(before);
            if (change != 0) changes[PlayerId{write.key.id}] = change;
            sum += change;
        }
    }
    if (const auto paid = take_payments(commit); paid > 0) {
        changes.clear();
        sum -= static_cast<std::int64_t>(paid);
    }
    if (sum != 0) {
        std::string who;
        for (const auto& write : commit.entities) who += fmt::format(" {}", write.key);
        trace_.fail(fmt::format("a transaction of{} makes {} gold out of nothing", who, sum));
    } else if (!changes.empty()) {
        gift_stored(changes);
    }
}

std::uint64_t TradeLedger::take_payments(const storage::Commit& commit) {
    std::uint64_t gold = 0;
    for (const auto& record : commit.records) {
        const auto payment = record.space == "payment" ? payments_.find(record.key) : payments_.end();
        if (payment == payments_.end()) continue;
        auto& by = payment->second.credited;
        if (by) trace_.fail(fmt::format("payment {} of player {} was claimed a second time", record.key, *by));
        by = PlayerId{commit.entities.front().key.id};
        gold += payment->second.gold;
    }
    return gold;
}

void TradeLedger::gift_stored(const std::map<PlayerId, std::int64_t>& changes) {
    auto giver = changes.begin(), taker = std::next(giver);
    if (giver->second > 0) std::swap(giver, taker);
    auto& count = gifts_[{giver->first, taker->first, static_cast<std::uint64_t>(taker->second)}];
    if (changes.size() == 2 && ++count.stored <= count.asked) return;
    trace_.fail(
        fmt::format("the disk has {} gifts of {} gold from player {} to player {}, and {} were asked for and not "
                    "refused",
                    count.stored, taker->second, giver->first, taker->first, count.asked));
}

std::size_t TradeLedger::balance_seen(PlayerId player, std::uint64_t gold, std::size_t earliest) {
    const auto& balances = balances_[player];
    for (auto index = earliest; index < balances.size(); ++index) {
        if (balances[index] == gold) return index;
    }
    trace_.fail(
        fmt::format("player {} is said to have {} gold in the purse, which was never on the disk, or only before "
                    "a balance that was told already",
                    player, gold));
    return earliest;
}

void TradeLedger::gift_confirmed(PlayerId from, PlayerId to, std::uint64_t gold) {
    auto& count = gifts_[{from, to, gold}];
    if (++count.confirmed <= count.stored) return;
    trace_.fail(fmt::format("{} gifts of {} gold from player {} to player {} were confirmed, and the disk has {}",
                            count.confirmed, gold, from, to, count.stored));
}

trade::Redeem TradeLedger::new_payment(PlayerId player, std::uint64_t gold) {
    auto name = fmt::format("{}-{}", player, payments_.size());
    payments_[name].gold = gold;
    return {std::move(name), gold};
}

void TradeLedger::payment_confirmed(const std::string& payment, PlayerId player) {
    if (payments_.at(payment).credited == player) return;
    trace_.fail(
        fmt::format("player {} was told that payment {} is credited, and on the disk it is not", player, payment));
}

void TradeLedger::check_all() {
    for (const auto& [gift, count] : gifts_) {
        if (count.confirmed <= count.stored && count.stored <= count.asked) continue;
        trace_.fail(
            fmt::format("of {} gifts of {} gold from player {} to player {}, {} were confirmed and {} are stored",
                        count.asked, gift.gold, gift.from, gift.to, count.confirmed, count.stored));
    }
}

// --- what bots do ----------------------------------------------------------------------------------------------------

class TradeScript final : public Script {
public:
    TradeScript(Trade& trade, Bot& bot) : trade_{trade}, ledger_{trade.ledger_}, bot_{bot} {}

    void on_entered() override { seen_ = 0; }
    void on_gap() override { seen_ = 0; }

    void act() override {
        const auto draw = bot_.random().between(0, 24);
        if (draw < 14) {
            give();
        } else if (draw < 18) {
            bot_.request(trade::ShowBalance{}, [this](const Result<trade::Balance>& answer) {
                if (answer) check(answer->gold);
            });
        } else if (draw < 21 || trade_.payments_.empty()) {
            auto& all = trade_.payments_;
            all.push_back(ledger_.new_payment(bot_.player(), bot_.random().between(1, 50)));
            redeem(trade::Redeem{all.back()});
        } else {
            // Again: the provider calls back many times, and thieves try what belongs to others.
            redeem(bot_.random().pick(trade_.payments_));
        }
    }

    void on_push(Command command, BytesView body) override {
        if (command != command_of<trade::Given>) return;
        check(msgpack::decode<trade::Given>(body).value().balance);
    }

private:
    void give() {
        const auto to = bot_.random().pick(trade_.world_.players);
        const auto gold = bot_.random().between(1, 9);
        const auto from = bot_.player();
        ledger_.gift_sent(from, to, gold);
        bot_.request(trade::Give{to, gold}, [this, from, to, gold](const Result<trade::Balance>& answer) {
            bot_.note("give", static_cast<std::uint64_t>(to), answer ? answer->gold : 0);
            if (answer) {
                ledger_.gift_confirmed(from, to, gold);
                check(answer->gold);
            } else if (nothing_was_done(answer.error().code())) {
                ledger_.gift_refused(from, to, gold);
            }
        });
    }

    static bool nothing_was_done(Code code) {
        return is_refusal(code) || code == Code::conflict || code == Code::not_found;
    }

    void redeem(const trade::Redeem& payment) {
        bot_.request(trade::Redeem{payment}, [this, payment](const Result<trade::Balance>& answer) {
            bot_.note("redeem", payment.gold, answer ? answer->gold : 0);
            if (!answer) return;
            ledger_.payment_confirmed(payment.payment, bot_.player());
            check(answer->gold);
        });
    }

    void check(std::uint64_t gold) { seen_ = ledger_.balance_seen(bot_.player(), gold, seen_); }

    Trade& trade_;
    TradeLedger& ledger_;
    Bot& bot_;
    std::size_t seen_ = 0;  // the place of the last balance of this session in what the disk had
};

void Trade::configure(std::map<std::string, SettingScalar>& settings) {
    settings["module.trade.test_payments"] = true;
    settings["module.trade.first_gold"] = static_cast<std::int64_t>(TradeLedger::first_gold);
}

std::unique_ptr<Script> Trade::make_script(Bot& bot) { return std::make_unique<TradeScript>(*this, bot); }

}  // namespace gs::sim
