#pragma once
// What operators say of players: `gameserver admin kick|ban|unban|bans|log-calls`, and the HTTP requests of the admin
// endpoint that these send. Any node passes them on: kicks and bans to a center, log-calls to all games.
#include <functional>
#include <optional>
#include <string>

#include "app/node.hpp"
#include "app/operate.hpp"
#include "http/server.hpp"

namespace gs::app {

/// The bodies of POST /v1/kick, /v1/ban and /v1/unban; the answer is {}. GET /v1/bans answers {"bans":[...]}.
struct KickRequest {
    std::string player;
    std::string reason;
    FIELDS(player, reason)
};
struct BanRequest {
    std::string whom;  ///< "player:51", "address:192.0.2.1" or "device:NAME"
    std::string reason;
    std::int64_t seconds = 0;  ///< from now on; 0: for ever
    FIELDS(whom, reason, seconds)
};
struct UnbanRequest {
    std::string whom;
    FIELDS(whom)
};

/// The body of POST /v1/log-calls.
struct LogCallsRequest {
    std::string whom;                     ///< "player:51", "module:chat" or "all"
    std::optional<std::int64_t> seconds;  ///< must be there; 0: end it
    FIELDS(whom, seconds)
};
struct LogCallsAnswer {
    std::uint64_t games = 0;  ///< that do it
    FIELDS(games)
};

/// `home` runs work on the loop of the node's first bus, `tasks` hold what waits there.
void add_moderation_routes(http::HttpServer& server, Node& node, const http::Executor& home, runtime::Tasks& tasks);

/// What the command line says. Return the exit code.
struct ModerationOptions {
    std::string whom;  ///< a player's number, or as in BanRequest
    std::string reason;
    std::string duration;  ///< "30m", "12h", "7d"; empty: for ever
};
[[nodiscard]] int kick_player(const RunOptions& config, const AdminOptions& options, const ModerationOptions& order);
[[nodiscard]] int ban(const RunOptions& config, const AdminOptions& options, const ModerationOptions& order);
[[nodiscard]] int unban(const RunOptions& config, const AdminOptions& options, const ModerationOptions& order);
struct LogCallsOptions {
    std::string player, module;
    bool all = false, off = false;
    std::string duration = "10m";
};
[[nodiscard]] int log_calls(const RunOptions& config, const AdminOptions& options, const LogCallsOptions& order);
[[nodiscard]] int list_bans(const RunOptions& config, const AdminOptions& options);

}  // namespace gs::app
