// Deposits of the trial module: what is confirmed is stored, and what is stored was asked for, once.
#include "tests/sim/workloads/gold.hpp"

#include <algorithm>

#include "tests/sim/workloads/texts.hpp"

namespace gs::sim {

namespace {

class GoldScript final : public Script {
public:
    GoldScript(GoldLedger& ledger, Bot& bot) : ledger_{ledger}, bot_{bot} {}

    void on_entered() override { seen_ = 0; }
    void on_gap() override { seen_ = 0; }

    void act() override {
        const auto draw = bot_.random().between(0, 45);
        if (draw < 30) {
            deposit(bot_.patience(), [](bool) {});
        } else if (draw < 36) {
            deposit_that_fails();
        } else {
            count();
        }
    }

    void prove(std::function<void(bool done)> tell) override { deposit(std::chrono::seconds{600}, std::move(tell)); }

    void on_push(Command command, BytesView body) override {
        if (command != command_of<scenarios::Told>) return;
        // "7 has 120": told to everyone once it is stored.
        const auto told = msgpack::decode<scenarios::Told>(body).value();
        constexpr std::string_view has = " has ";
        const auto place = told.text.find(has);
        if (place == std::string::npos) return;
        const auto gold = owner_in(told.text.substr(place + has.size()));
        ledger_.balance_seen(PlayerId{owner_in(told.text)}, gold, "a push");
    }

private:
    void deposit(runtime::Duration patience, std::function<void(bool done)> tell) {
        const auto gold = bot_.random().between(1, 9);
        const auto before = ledger_.confirmed(bot_.player());
        ledger_.deposit_sent(bot_.player(), gold);
        bot_.request(scenarios::Deposit{gold, bot_.random().chance(0.1)}, patience,
                     [this, gold, before, tell = std::move(tell)](const Result<scenarios::Gold>& answer) {
                         bot_.note("deposit", gold, answer ? answer->gold : 0);
                         if (answer) {
                             check(answer->gold, "the answer to a deposit");
                             ledger_.deposit_confirmed(bot_.player(), gold, before, answer->gold);
                         } else if (is_refusal(answer.error().code())) {
                             ledger_.deposit_refused(bot_.player(), gold);
                         }
                         tell(answer.has_value());
                     });
    }

    void deposit_that_fails() {
        const auto gold = bot_.random().between(1'000'000, 2'000'000);
        const auto failed = [this, gold](const Result<scenarios::Gold>& answer) {
            if (answer) bot_.fail(fmt::format("made a deposit of {} that fails, and it was answered ok", gold));
        };
        if (bot_.random().chance(0.5)) {
            bot_.request(scenarios::FailingDeposit{gold}, failed);
        } else {
            bot_.request(scenarios::LateFailingDeposit{gold}, failed);
        }
    }

    void count() {
        bot_.request(scenarios::CountGold{}, [this](const Result<scenarios::Gold>& answer) {
            if (answer) check(answer->gold, "a count");
        });
    }

    void check(std::uint64_t gold, const char* where) {
        if (gold < seen_) {
            bot_.fail(fmt::format("was told of {} gold and later, in the same session, of {}", seen_, gold));
        }
        seen_ = gold;
        ledger_.balance_seen(bot_.player(), gold, where);
    }

    GoldLedger& ledger_;
    Bot& bot_;
    std::uint64_t seen_ = 0;  // of this session; a gap forgets what the loss of a server may take back
};

}  // namespace

std::unique_ptr<Script> Gold::make_script(Bot& bot) { return std::make_unique<GoldScript>(ledger_, bot); }

void Gold::on_stored(const storage::Commit& commit) {
    for (const auto& write : commit.entities) {
        // Hostile clients keep books of their own.
        const PlayerId player{write.key.id};
        if (std::find(world_.players.begin(), world_.players.end(), player) == world_.players.end()) continue;
        for (const auto& component : write.components) {
            if (component.name != "wallet") continue;
            ledger_.stored(player, from_json<scenarios::Wallet>(component.data).value().gold);
        }
    }
}

}  // namespace gs::sim
