#pragma once
// A server in a directory and on ports of its own: one process with all roles, or `gameserver up` with five; and the
// bots.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/scratch_directory.hpp"
#include "tests/processes/process.hpp"

namespace gs::test {

using storage::ScratchDirectory;

/// A port that nobody listens on, outside the range that the system gives to outgoing connections: those of the bots
/// could otherwise take the port of a server that is away for a moment.
[[nodiscard]] std::uint16_t free_port();

struct Answer {
    unsigned status = 0;  ///< 0: no answer
    std::string body;
};
[[nodiscard]] Answer http_get(const std::string& url);

/// One process with all roles in development mode; ready when constructed.
class Server {
public:
    explicit Server(const std::filesystem::path& data_directory, const std::vector<std::string>& more = {});

    Process& process() { return *process_; }
    /// `kill -9`, then the same again: the same ports and data.
    void kill_and_start_again();
    [[nodiscard]] std::string gateway() const;
    [[nodiscard]] std::string login_url() const;
    [[nodiscard]] std::string admin_url() const;
    [[nodiscard]] static std::vector<std::string> words(const std::filesystem::path& data_directory,
                                                        std::uint16_t gateway, std::uint16_t login,
                                                        std::uint16_t admin);

private:
    std::uint16_t gateway_ = free_port(), login_ = free_port(), admin_ = free_port();
    std::vector<std::string> command_;
    std::unique_ptr<Process> process_;
};

/// The command of bots that write their report to `report`.
[[nodiscard]] std::vector<std::string> bots(const std::string& login_url, const std::string& report,
                                            const std::vector<std::string>& more);
/// The numbers of a report by name.
[[nodiscard]] std::map<std::string, double> read_report(const std::string& file);

struct LedgerEntry {
    std::uint64_t confirmed = 0, attempted = 0;
    std::string nickname;
};
/// The last line of each player.
[[nodiscard]] std::map<std::uint64_t, LedgerEntry> read_ledger(const std::string& file);

struct StoredProfile {
    std::string nickname;
    std::uint64_t counter = 0;  ///< of the motto "n=<counter>"
};
/// What the database file says, read by SQLite itself.
[[nodiscard]] std::map<std::uint64_t, StoredProfile> read_profiles(const std::string& file);
/// Each player of the ledger has what was confirmed, and no nickname is there twice. Checks with Catch.
void check_ledger(const std::string& ledger_file, const std::string& database_file);
/// The rows as the sqlite3 shell prints them.
[[nodiscard]] std::string sqlite_shell(const std::string& file, const std::string& query);

}  // namespace gs::test
