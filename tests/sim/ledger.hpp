#pragma once
// What the clients of a simulation were told, kept outside of the system under test: the gold of each player, and every
// line of every channel. A contradiction fails the trace.
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/ids.hpp"
#include "modules/chat/messages.hpp"
#include "tests/sim/trace.hpp"

namespace gs::sim {

/// Gold that is only ever deposited: what is stored lies between what was confirmed and what was asked for.
class GoldLedger {
public:
    explicit GoldLedger(Trace& trace) : trace_{trace} {}

    void deposit_sent(PlayerId player, std::uint64_t gold) { accounts_[player].asked += gold; }
    /// `before` is confirmed() when the request was sent; `now` is the balance in the answer.
    void deposit_confirmed(PlayerId player, std::uint64_t gold, std::uint64_t before, std::uint64_t now);
    /// For certain: nothing was done.
    void deposit_refused(PlayerId player, std::uint64_t gold) { accounts_[player].asked -= gold; }
    /// Someone outside heard of this balance.
    void balance_seen(PlayerId player, std::uint64_t gold, const char* where);
    [[nodiscard]] std::uint64_t confirmed(PlayerId player) const;

    // --- what is on the disk, told by the disk
    void stored(PlayerId player, std::uint64_t gold);
    [[nodiscard]] std::uint64_t stored(PlayerId player) const;

    /// At the end, when nothing is under way.
    void check_all();

private:
    struct Account {
        std::uint64_t asked = 0, confirmed = 0, stored = 0;
    };
    Trace& trace_;
    std::map<PlayerId, Account> accounts_;
};

/// Lines of channels: a number means one line for ever, and a line is said once.
class LineLedger {
public:
    explicit LineLedger(Trace& trace) : trace_{trace} {}

    void seen(const std::string& channel, const chat::Line& line);
    /// The game was lost before it answered who said this: nobody knows whether it was done, and it is done again.
    void may_repeat(const std::string& text) { repeatable_.insert(text); }

private:
    Trace& trace_;
    std::map<std::pair<std::string, std::uint64_t>, std::pair<PlayerId, std::string>> lines_;
    std::set<std::string> repeatable_;
    std::map<std::pair<std::string, std::string>, std::uint64_t> numbers_;  // of (channel, text); texts are unique
};

}  // namespace gs::sim
