#pragma once
// What the server confirmed to each player, for a comparison with the database afterwards. JSON lines such as
//   {"player":"123","confirmed":17,"attempted":18,"nickname":"b1x9"}
// one for each change; the last line of a player counts. The player's motto is "n=<number>"; the database must hold a
// number with confirmed <= number <= attempted, and the nickname unless it is empty (never confirmed).
// Owner: the run. Errors: throws Code::invalid when the file cannot be written.
#include <cstdint>
#include <string>

#include "base/ids.hpp"

namespace gs::bots {

struct LedgerEntry {
    PlayerId player{};
    std::uint64_t confirmed = 0;
    std::uint64_t attempted = 0;
    std::string nickname;
};

class Ledger {
public:
    /// An empty name keeps no ledger. A file that exists is begun anew.
    explicit Ledger(std::string file);
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;
    ~Ledger();

    void add(const LedgerEntry& entry);
    void flush();
    /// Flushes, and waits until the disk has it.
    void sync();

private:
    std::string name_;
    int file_ = -1;
    std::string lines_;
};

}  // namespace gs::bots
