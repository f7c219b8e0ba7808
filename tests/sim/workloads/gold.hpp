#pragma once
#include "tests/scenarios/trial_module.hpp"
#include "tests/sim/bot.hpp"
#include "tests/sim/ledger.hpp"

namespace gs::sim {

class Gold final : public Workload {
public:
    explicit Gold(World& world) : world_{world} {}

    [[nodiscard]] std::uint64_t weight() const override { return 46; }
    [[nodiscard]] std::unique_ptr<Script> make_script(Bot& bot) override;
    void on_stored(const storage::Commit& commit) override;
    void at_end() override { ledger_.check_all(); }

    [[nodiscard]] GoldLedger& ledger() { return ledger_; }

private:
    World& world_;
    GoldLedger ledger_{world_.trace};
};

}  // namespace gs::sim
