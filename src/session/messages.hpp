#pragma once
// What gateway, center and game tell each other about players and channels. Client messages themselves are relayed as
// they are (raw commands below): subject = player, generation = connection epoch, body = one or more whole frames of the
// client protocol; what a client sends or is sent in one turn crosses the cluster as one message.
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/message.hpp"

namespace gs::session {

// --- raw bodies ------------------------------------------------------------------------------------------------------
inline constexpr Command relay_from_client = 100;  ///< gateway -> game
inline constexpr Command relay_to_client = 101;    ///< game -> gateway, center -> gateway
inline constexpr Command relay_to_all = 102;       ///< game -> gateways: every client; one message without its prefix
inline constexpr Command relay_to_player = 103;    ///< game -> center: wherever that player is (subject)
inline constexpr Command relay_to_channel = 104;   ///< center -> gateways: msgpack text (channel), then the message

// --- attach and detach -----------------------------------------------------------------------------------------------
/// Gateway to center: this player's client is here now. Raises the connection epoch, chooses the game (the one that
/// holds the player, else the least loaded), and sends the former gateway a Kick that names the former epoch.
struct Attached {
    ConnectionEpoch epoch{};
    RoleAddress game;
    FIELDS(epoch, game)
};
struct Attach {
    PlayerId player{};
    FIELDS(player)
};
/// Gateway to center: that connection has ended.
struct Detached {
    PlayerId player{};
    ConnectionEpoch epoch{};
    FIELDS(player, epoch)
};
/// To the gateway: close this connection, if it is still of this epoch, and tell the client why.
struct Kick {
    PlayerId player{};
    ConnectionEpoch epoch{};
    Code code = Code::ok;
    std::string reason;
    bool reconnect = false;
    FIELDS(player, epoch, code, reason, reconnect)
};

/// Gateway to game: the player enters; answered when its data is loaded.
struct EnterGame {
    PlayerId player{};
    ConnectionEpoch epoch{};
    FIELDS(player, epoch)
};
/// Gateway to game: that connection has ended; the player is saved and dropped.
struct LeaveGame {
    PlayerId player{};
    ConnectionEpoch epoch{};
    FIELDS(player, epoch)
};
/// Game to center: the player is saved and no longer here; the next attach may choose any game.
struct Unloaded {
    PlayerId player{};
    ConnectionEpoch epoch{};
    FIELDS(player, epoch)
};

/// Center to gateways and games when it meets them: who is with you? It rebuilds its table from the answers.
struct HeldPlayer {
    PlayerId player{};
    ConnectionEpoch epoch{};
    RoleAddress game;                   ///< from gateways
    std::vector<std::string> channels;  ///< from gateways
    FIELDS(player, epoch, game, channels)
};
struct HeldPlayers {
    std::vector<HeldPlayer> players;
    FIELDS(players)
};
struct ListPlayers {
    FIELDS()
};

/// To gateways: one message for many of their players.
struct RelayToMany {
    std::vector<PlayerId> players;
    Binary message;
    FIELDS(players, message)
};

// --- channels: the center orders them, the gateways hold the members -------------------------------------------------
/// A channel push is a struct {text channel; line}, where a line's first field is its number; the center fills it in.
struct ChannelJoined {
    std::vector<Binary> last_lines;  ///< encoded lines; pushes go on from the next number
    FIELDS(last_lines)
};
struct ChannelJoin {
    std::string channel;
    PlayerId player{};
    ConnectionEpoch epoch{};
    RoleAddress gateway;
    FIELDS(channel, player, epoch, gateway)
};
struct ChannelLeave {
    std::string channel;
    PlayerId player{};
    RoleAddress gateway;
    FIELDS(channel, player, gateway)
};
struct ChannelAppended {
    std::uint64_t number = 0;
    FIELDS(number)
};
struct ChannelAppend {
    std::string channel;
    Command command = 0;     ///< of the push
    std::uint32_t keep = 0;  ///< how many last lines the channel keeps
    Binary line;
    PlayerId player{};  ///< in whose turn it was said; 0: in nobody's
    ConnectionEpoch epoch{};
    FIELDS(channel, command, keep, line, player, epoch)
};
/// Center to gateway.
struct ChannelMember {
    std::string channel;
    PlayerId player{};
    ConnectionEpoch epoch{};
    bool member = false;
    FIELDS(channel, player, epoch, member)
};
/// Gateway to center: these members' connections ended.
struct ChannelsLeft {
    PlayerId player{};
    std::vector<std::string> channels;
    FIELDS(player, channels)
};

GS_CALL(110, Attach, Attached)
GS_NOTE(111, Detached)
GS_NOTE(112, Kick)
GS_CALL(113, EnterGame, Done)
GS_NOTE(114, LeaveGame)
GS_NOTE(115, Unloaded)
GS_CALL(116, ListPlayers, HeldPlayers)
GS_NOTE(118, RelayToMany)
GS_CALL(120, ChannelJoin, ChannelJoined)
GS_CALL(121, ChannelLeave, Done)
GS_CALL(122, ChannelAppend, ChannelAppended)
GS_NOTE(123, ChannelMember)
GS_NOTE(124, ChannelsLeft)

}  // namespace gs::session
