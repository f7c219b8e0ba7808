#pragma once
// What the server confirmed to each player, for a comparison with the database afterwards. JSON lines such as
//   {"player":"123","confirmed":17,"attempted":18,"nickname":"b1x9"}
// one for each change; the last line of a player counts. The player's motto is "n=<number>"; the database must hold a
// number with confirmed <= number <= attempted, and the nickname unless it is empty (never confirmed).
// Of scenario trade it has a line for each change that is asked for and one for each end of it, such as
//   {"player":"123","change":"b1x9-0-17","kind":"give","to":"124","gold":5,"state":"asked","at":1700000000000}
//   {"player":"123","change":"b1x9-0-17","state":"done","at":1700000000004,"us":3811}
// kind: give or payment (which has no "to"); state: asked, done, refused (will never be done), unknown (asked again
// later); at: milliseconds since 1970; us: microseconds until that answer. tests/processes/torture/audit.py compares
// them with the database.
// Owner: the run. Errors: throws Code::invalid when the file cannot be written.
#include <cstdint>
#include <string>
#include <string_view>

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
    /// A JSON object, without the end of the line.
    void add_line(std::string_view json);
    void flush();
    /// Flushes, and waits until the disk has it.
    void sync();

private:
    std::string name_;
    int file_ = -1;
    std::string lines_;
};

}  // namespace gs::bots
