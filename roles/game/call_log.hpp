#pragma once
// Whose requests are logged: those of all (game.log_calls), or for a while those that an operator names, with
// `gameserver admin log-calls`. Owner: the game. Loop: its own.
#include <set>
#include <string>

#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::game {

class CallLog {
public:
    static constexpr std::size_t players_max = 100;
    static constexpr std::int64_t seconds_max = 86'400;

    /// Takes session::LogCalls from the bus. `always`: of all, whatever an operator says.
    CallLog(cluster::RoleBus bus, std::span<const ModuleInfo* const> modules, bool always);
    CallLog(const CallLog&) = delete;
    CallLog& operator=(const CallLog&) = delete;

    /// Asked for each request: costs one branch while nothing is logged.
    [[nodiscard]] bool wants(PlayerId player, const std::string& module) const {
        return is_on_ && (all_ || players_.contains(player) || modules_.contains(module));
    }

private:
    /// Errors: invalid: it is nobody; not_found: there is no such module; limited: too many players.
    void obey(const session::LogCalls& order);
    void begin(const std::string& whom);
    void end(const std::string& whom);
    void end_all();

    const bool always_;
    std::set<std::string> known_modules_;
    bool is_on_, all_;
    std::set<PlayerId> players_;
    std::set<std::string> modules_;
    runtime::Timers ends_;  // by whom
};

}  // namespace gs::game
