#pragma once
// Kicks and bans as operators give them: `gameserver admin kick|ban|unban|bans`, and the HTTP requests of the admin
// endpoint that these send. Any node passes them on to a center.
#include <functional>
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
[[nodiscard]] int list_bans(const RunOptions& config, const AdminOptions& options);

}  // namespace gs::app
