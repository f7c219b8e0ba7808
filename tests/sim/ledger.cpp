#include "tests/sim/ledger.hpp"

#include <fmt/format.h>

namespace gs::sim {

void GoldLedger::deposit_confirmed(PlayerId player, std::uint64_t gold, std::uint64_t before, std::uint64_t now) {
    auto& account = accounts_[player];
    account.confirmed += gold;
    if (now < before + gold) {
        trace_.fail(
            fmt::format("player {} had {} confirmed, deposited {}, and was told of {} only: a confirmed change is "
                        "lost",
                        player, before, gold, now));
    }
    balance_seen(player, now, "the answer to a deposit");
}

void GoldLedger::balance_seen(PlayerId player, std::uint64_t gold, const char* where) {
    const auto& account = accounts_[player];
    if (gold > account.asked) {
        trace_.fail(fmt::format("{} says that player {} has {} gold, but only {} was ever deposited", where, player,
                                gold, account.asked));
    } else if (gold > account.stored) {
        trace_.fail(fmt::format("{} says that player {} has {} gold before that is durable (the disk has {})", where,
                                player, gold, account.stored));
    }
}

std::uint64_t GoldLedger::confirmed(PlayerId player) const {
    const auto place = accounts_.find(player);
    return place == accounts_.end() ? 0 : place->second.confirmed;
}

std::uint64_t GoldLedger::stored(PlayerId player) const {
    const auto place = accounts_.find(player);
    return place == accounts_.end() ? 0 : place->second.stored;
}

void GoldLedger::stored(PlayerId player, std::uint64_t gold) {
    auto& account = accounts_[player];
    if (gold < account.stored) {
        trace_.fail(
            fmt::format("the gold of player {} on the disk fell from {} to {}: an older state was written over a "
                        "newer one",
                        player, account.stored, gold));
    }
    if (gold > account.asked) {
        trace_.fail(fmt::format("the disk has {} gold of player {}, but only {} was ever deposited", gold, player,
                                account.asked));
    }
    account.stored = gold;
}

void LineLedger::seen(const std::string& channel, const chat::Line& line) {
    const auto [place, is_new] = lines_.emplace(std::pair{channel, line.number}, std::pair{line.from, line.text});
    if (!is_new && place->second != std::pair{line.from, line.text}) {
        trace_.fail(fmt::format("line {} of channel {} was \"{}\" for one reader and is \"{}\" for another",
                                line.number, channel, place->second.second, line.text));
    }
    const auto [said, first] = numbers_.emplace(std::pair{channel, line.text}, line.number);
    if (!first && said->second != line.number && !repeatable_.contains(line.text)) {
        trace_.fail(fmt::format("\"{}\" is in channel {} twice: as line {} and as line {}", line.text, channel,
                                said->second, line.number));
    }
}

void GoldLedger::check_all() {
    for (const auto& [player, account] : accounts_) {
        if (account.stored < account.confirmed) {
            trace_.fail(fmt::format("player {} was told of {} gold, and {} is stored: a confirmed change is lost",
                                    player, account.confirmed, account.stored));
        }
    }
}

}  // namespace gs::sim
