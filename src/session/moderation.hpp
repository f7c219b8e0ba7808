#pragma once
// What operators and modules tell the center about players who must go. Any center takes it; a ban is stored, and all
// centers, which let players in, know it at once.
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/message.hpp"
#include "base/result.hpp"

namespace gs::session {

/// Whom a ban is about: "player:51", "address:192.0.2.1", "device:NAME".
[[nodiscard]] inline std::string ban_of_player(PlayerId player) { return fmt::format("player:{}", player); }
[[nodiscard]] inline std::string ban_of_address(std::string_view address) { return fmt::format("address:{}", address); }
[[nodiscard]] inline std::string ban_of_device(std::string_view device) { return fmt::format("device:{}", device); }

struct Ban {
    std::string whom;
    std::string reason;      ///< the player reads it
    std::int64_t until = 0;  ///< seconds since 1970; 0: for ever
    FIELDS(whom, reason, until)
};
/// Empty: it is no player's number.
[[nodiscard]] std::optional<PlayerId> player_number(std::string_view text);
/// In the one form that is compared: an address in digits, IPv4 inside of IPv6 as IPv4. Empty: it is none.
[[nodiscard]] std::string canonical_address(const std::string& text);
/// What limits for an address count together: an IPv6 network of 64 bits, since one host may have all of it.
[[nodiscard]] std::string address_block(const std::string& address);
/// The same of whom a ban is about. Errors: invalid: it is nobody.
[[nodiscard]] Result<std::string> canonical_ban(const std::string& whom);
/// What the banned one is told.
[[nodiscard]] std::string ban_text(const Ban& ban);

/// Replaces an earlier ban of the same. Errors: invalid: it names nobody.
struct PutBan {
    Ban ban;
    FIELDS(ban)
};
/// Errors: not_found.
struct LiftBan {
    std::string whom;
    FIELDS(whom)
};
struct Bans {
    std::vector<Ban> bans;
    FIELDS(bans)
};
struct ListBans {
    FIELDS()
};
/// Login asks before it grants a token. Errors: forbidden: the text for the player.
struct CheckBans {
    std::vector<std::string> whom;
    FIELDS(whom)
};
/// To centers and gateways, once it is stored. Gateways end the connections that it is about.
struct BanChanged {
    Ban ban;
    bool lifted = false;
    FIELDS(ban, lifted)
};

/// To gateways: what a center found when it read what is stored; some may be new to them.
struct BansRead {
    std::vector<Ban> bans;
    FIELDS(bans)
};

/// Ends the player's session, which may begin anew. Errors: not_found: the player is not online.
struct KickPlayer {
    PlayerId player{};
    std::string reason;
    FIELDS(player, reason)
};

GS_CALL(140, PutBan, Done)
GS_CALL(141, LiftBan, Done)
GS_CALL(142, ListBans, Bans)
GS_CALL(143, CheckBans, Done)
GS_NOTE(144, BanChanged)
GS_CALL(145, KickPlayer, Done)
GS_NOTE(146, BansRead)

}  // namespace gs::session
