#pragma once
#include "modules/chat/messages.hpp"
#include "tests/sim/bot.hpp"
#include "tests/sim/ledger.hpp"

namespace gs::sim {

class ChatScript;

/// Lines of channels and whispers: a number means one line for ever, each reader gets lines in order, no whisper comes
/// twice in a session, and one that was confirmed arrives where nothing of it may be lost.
class Chat final : public Workload {
public:
    explicit Chat(World& world) : world_{world} {}

    /// Where nothing of a whisper may be lost, also while games are drained, there are many.
    [[nodiscard]] std::uint64_t weight() const override { return world_.only_gateways_fail ? 120 : 20; }
    [[nodiscard]] std::unique_ptr<Script> make_script(Bot& bot) override;
    [[nodiscard]] std::string missing() const override;

private:
    friend class ChatScript;
    /// Who hears what is whispered to that player from now on; null: nobody, or nobody knows.
    [[nodiscard]] ChatScript* listener(PlayerId player) const;

    World& world_;
    LineLedger lines_{world_.trace};
    std::map<PlayerId, std::uint64_t> texts_;  // how many each player has written
    std::set<std::string> doubtful_;           // that may have been done twice
    std::vector<ChatScript*> scripts_;
};

}  // namespace gs::sim
