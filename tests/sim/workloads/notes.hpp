#pragma once
#include "tests/scenarios/trial_module.hpp"
#include "tests/sim/bot.hpp"

namespace gs::sim {

/// Class B data: a note that was answered is read back in the same session, up to a gap.
class Notes final : public Workload {
public:
    explicit Notes(World& world) : world_{world} {}

    [[nodiscard]] std::uint64_t weight() const override { return 17; }
    [[nodiscard]] std::unique_ptr<Script> make_script(Bot& bot) override;
    /// Rises for each player, over all bots that play it.
    [[nodiscard]] std::uint64_t next_number(PlayerId player) { return ++numbers_[player]; }

private:
    World& world_;
    std::map<PlayerId, std::uint64_t> numbers_;
};

/// Of unrelated requests: an answer belongs to its request, and shows the player that was asked for.
class Look final : public Workload {
public:
    explicit Look(World& world) : world_{world} {}

    [[nodiscard]] std::uint64_t weight() const override { return 17; }
    [[nodiscard]] std::unique_ptr<Script> make_script(Bot& bot) override;

private:
    World& world_;
};

}  // namespace gs::sim
