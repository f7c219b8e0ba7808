#pragma once
#include <optional>

#include "modules/trade/messages.hpp"
#include "tests/sim/bot.hpp"

namespace gs::sim {

/// What module trade promises about purses, from what is on the disk and what clients were told: each transaction
/// conserves gold, a gift is done for both or for nobody, a payment is credited once. A contradiction fails the trace.
class TradeLedger {
public:
    static constexpr std::uint64_t first_gold = 100;

    explicit TradeLedger(Trace& trace) : trace_{trace} {}

    // --- what is on the disk, told by the disk
    void stored(const storage::Commit& commit);
    /// Which of the balances that the disk had it is that somebody outside hears of; not before `earliest`.
    [[nodiscard]] std::size_t balance_seen(PlayerId player, std::uint64_t gold, std::size_t earliest);

    // --- what is asked for, and answered
    void gift_sent(PlayerId from, PlayerId to, std::uint64_t gold) { ++gifts_[{from, to, gold}].asked; }
    void gift_refused(PlayerId from, PlayerId to, std::uint64_t gold) { --gifts_[{from, to, gold}].asked; }
    void gift_confirmed(PlayerId from, PlayerId to, std::uint64_t gold);
    /// One that was really paid, with a name of its own.
    [[nodiscard]] trade::Redeem new_payment(PlayerId player, std::uint64_t gold);
    void payment_confirmed(const std::string& payment, PlayerId player);

    /// At the end, when nothing is under way.
    void check_all();

private:
    struct Gift {
        PlayerId from{}, to{};
        std::uint64_t gold = 0;
        auto operator<=>(const Gift&) const = default;
    };
    struct Count {
        std::uint64_t asked = 0, confirmed = 0, stored = 0;
    };
    struct Payment {
        std::uint64_t gold = 0;
        std::optional<PlayerId> credited{};
    };
    /// The gold of the payments that a transaction claims.
    [[nodiscard]] std::uint64_t take_payments(const storage::Commit& commit);
    void gift_stored(const std::map<PlayerId, std::int64_t>& changes);

    Trace& trace_;
    std::map<PlayerId, std::vector<std::uint64_t>> balances_;  // all that the disk had
    std::map<Gift, Count> gifts_;
    std::map<std::string, Payment> payments_;
};

class Trade final : public Workload {
public:
    explicit Trade(World& world) : world_{world} {}

    [[nodiscard]] std::uint64_t weight() const override { return 25; }
    void configure(std::map<std::string, SettingScalar>& settings) override;
    [[nodiscard]] std::unique_ptr<Script> make_script(Bot& bot) override;
    void on_stored(const storage::Commit& commit) override { ledger_.stored(commit); }
    void at_end() override { ledger_.check_all(); }

private:
    friend class TradeScript;
    World& world_;
    TradeLedger ledger_{world_.trace};
    std::vector<trade::Redeem> payments_;  // of all players
};

}  // namespace gs::sim
