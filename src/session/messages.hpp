#pragma once
// What gateway, center and game tell each other about players and channels. Client messages themselves are relayed as
// they are (raw commands below): subject = player, generation = connection epoch, body = one or more whole frames of the
// client protocol; what a client sends or is sent in one turn crosses the cluster as one message.
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/message.hpp"
#include "storage/operations.hpp"
#include "wire/system.hpp"

namespace gs::session {

// --- raw bodies ------------------------------------------------------------------------------------------------------
inline constexpr Command relay_from_client = 100;  ///< gateway -> game
inline constexpr Command relay_to_client = 101;    ///< game -> gateway
inline constexpr Command relay_to_all = 102;       ///< game -> gateways: every client; one message without its prefix
/// Game -> center -> the game of that player (subject); one message. Generation: how often a game has sent it back to
/// the center.
inline constexpr Command relay_to_player = 103;
inline constexpr Command relay_to_channel = 104;  ///< center -> gateways: msgpack text (channel), then the message
/// Game -> gateways: msgpack array of those of its players who are to get it, in order, each as the distance to the one
/// before; then the message.
inline constexpr Command relay_to_players = 105;

// --- attach and detach -----------------------------------------------------------------------------------------------
/// Gateway to center: this player's client is here now, with a good token or with the proof of its session. Checks the
/// proof, raises the connection epoch, chooses the game (the one that holds the player, else the least loaded), and
/// sends the former gateway a Kick that names the former epoch. Errors: unauthenticated: the proof is wrong; fenced: a
/// newer session exists. Nothing has changed then.
struct Attached {
    ConnectionEpoch epoch{};
    RoleAddress game;
    std::uint64_t session = 0;
    Binary key;
    bool moves = false;        ///< the player was somewhere else last, as far as the center knows
    std::uint64_t ticket = 0;  ///< not 0: the cluster is full, the client waits with it; the rest means nothing
    static constexpr bool secret = true;
    FIELDS(epoch, game, session, key, moves, ticket)
};
struct Attach {
    PlayerId player{};
    wire::Enter claim;         ///< with a session: to resume it
    Binary nonce;              ///< of the connection
    std::string address{};     ///< of the client
    std::uint64_t ticket = 0;  ///< with which it was let in from the queue
    std::string client_version{};
    static constexpr bool secret = true;
    FIELDS(player, claim, nonce, address, ticket, client_version)
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
    bool ends_session = false;  ///< nobody may resume it
    FIELDS(player, epoch, code, reason, reconnect, ends_session)
};

/// Gateway to game: the player enters, or its client is back; answered when its data is loaded.
struct Entrance {
    wire::SessionState state = wire::SessionState::fresh;
    std::uint64_t received = 0, next = 1;  ///< as in wire::Entered
    Binary frames;                         ///< for the client, after Entered
    FIELDS(state, received, next, frames)
};
struct EnterGame {
    PlayerId player{};
    ConnectionEpoch epoch{};
    std::uint64_t session = 0;
    bool resume = false;
    std::uint64_t received = 0, answered = 0;  ///< as in wire::Enter
    bool moves = false;                        ///< as in Attached: what is held of the player may be old
    FIELDS(player, epoch, session, resume, received, answered, moves)
};
/// Gateway to game: that connection has ended. The player is saved and dropped: at once when the client said that it
/// leaves, else when nobody resumes the session in time. A game passes one that is for good on to the game that has taken
/// the player over.
struct LeaveGame {
    PlayerId player{};
    ConnectionEpoch epoch{};
    bool for_good = false;
    FIELDS(player, epoch, for_good)
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
    std::uint64_t session = 0;
    FIELDS(player, epoch, game, channels, session)
};
struct HeldPlayers {
    std::vector<HeldPlayer> players;
    FIELDS(players)
};
struct ListPlayers {
    FIELDS()
};

// --- hand-over: a game that is drained gives its players to others while their clients play on ------------------------
// hold the client -> save everything -> the other game opens the player (it is the owner now) -> the center sends there
// what is for the player -> the gateway goes on with that game. Whatever fails on the way: who has the higher owner
// epoch plays on, and a client that was held too long resumes its session.
/// Game to gateway: read no more of that client for now. All that it has sent is on its way before the answer.
/// Errors: not_found: that connection does not play (any more).
struct HoldClient {
    PlayerId player{};
    ConnectionEpoch epoch{};
    FIELDS(player, epoch)
};
/// Game to gateway: the player stays after all; read on.
struct ReleaseClient {
    PlayerId player{};
    ConnectionEpoch epoch{};
    FIELDS(player, epoch)
};
/// Game to gateway: another game holds the player now; enter there and read on. This game has sent its last frame.
struct SwitchClient {
    PlayerId player{};
    ConnectionEpoch epoch{};
    RoleAddress game;
    std::uint64_t sent = 0;  ///< the number of that frame
    FIELDS(player, epoch, game, sent)
};
/// Game to game: the player is yours; all of it is in storage. What this one forwards after the answer comes before what
/// others send the player, until HandedOver. Errors: unavailable, busy: it takes no players, or not this one now;
/// fenced: the player has been written or opened since, so this game stays or another one is the owner.
struct TakeOver {
    PlayerId player{};
    bool online = false;  ///< its client is going to enter in a moment
    storage::Ownership last{};
    FIELDS(player, online, last)
};
struct HandedOver {
    PlayerId player{};
    bool done = false;  ///< not done: forget the player
    bool lost = false;  ///< pushes were lost on the way, here or there: the client is to hear of a gap
    FIELDS(player, done, lost)
};
/// Game to center: another game holds this player of mine, whatever connection it has by now. Errors: fenced: the
/// center has placed it elsewhere.
struct MovePlayer {
    PlayerId player{};
    ConnectionEpoch epoch{};
    RoleAddress game;
    FIELDS(player, epoch, game)
};
/// To a game: log the requests of these for a while. Errors: invalid, not_found (module), limited (too many players).
struct LogCalls {
    std::string whom;          ///< "player:51", "module:chat" or "all"
    std::int64_t seconds = 0;  ///< 0: end it; of "all": end whatever was asked for
    FIELDS(whom, seconds)
};
/// To a game: give all players to the other games and take no new ones; or take players again. Asked again, it says how
/// far it is. Errors: unavailable: there is no other game.
struct Draining {
    bool on = false;
    std::uint64_t players = 0;      ///< still here
    std::uint64_t handed_over = 0;  ///< since the game began
    FIELDS(on, players, handed_over)
};
struct Drain {
    bool on = true;
    bool only_ask = false;
    FIELDS(on, only_ask)
};

// --- two players in one transaction ------------------------------------------------------------------------------------
/// Game to the game of another player: what that player does together with one of ours. That player's turn stays taken
/// until Decide, or until storage says how it ended.
struct Prepared {
    storage::Commit change;
    Binary reply;
    FIELDS(change, reply)
};
struct Prepare {
    std::uint64_t id = 0;  ///< of the game that asks
    PlayerId player{};
    Command part = 0;
    Binary body;
    PlayerId asker{};  ///< who asks, and keeps nobody else waiting; 0: somebody who does, and so must not wait long
    FIELDS(id, player, part, body, asker)
};
struct Decide {
    std::uint64_t id = 0;
    bool done = false;
    FIELDS(id, done)
};
/// To the center: which game holds that player? Errors: not_found.
struct Located {
    RoleAddress game;
    FIELDS(game)
};
struct Locate {
    PlayerId player{};
    FIELDS(player)
};

// --- requests that another group of games answers ---------------------------------------------------------------------
/// The player's game to a game of the group that the request's module is routed to. Errors: what the handler throws;
/// unknown_command: that game has no such service.
struct Served {
    Binary reply;
    static constexpr bool secret = true;
    FIELDS(reply)
};
struct Serve {
    PlayerId player{};
    Command command = 0;
    Binary request;
    static constexpr bool secret = true;
    FIELDS(player, command, request)
};

// --- several centers ---------------------------------------------------------------------------------------------------
/// Center to the center of that player: is this still the player's connection? Errors: fenced: it is not.
struct CheckCurrent {
    PlayerId player{};
    ConnectionEpoch epoch{};
    FIELDS(player, epoch)
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
GS_CALL(113, EnterGame, Entrance)
GS_NOTE(114, LeaveGame)
GS_NOTE(115, Unloaded)
GS_CALL(116, ListPlayers, HeldPlayers)
GS_CALL(117, Prepare, Prepared)
GS_NOTE(118, Decide)
GS_CALL(119, Locate, Located)
GS_CALL(120, ChannelJoin, ChannelJoined)
GS_CALL(121, ChannelLeave, Done)
GS_CALL(122, ChannelAppend, ChannelAppended)
GS_NOTE(123, ChannelMember)
GS_NOTE(124, ChannelsLeft)
GS_CALL(125, HoldClient, Done)
GS_NOTE(126, ReleaseClient)
GS_NOTE(127, SwitchClient)
GS_CALL(128, TakeOver, Done)
GS_NOTE(129, HandedOver)
GS_CALL(130, MovePlayer, Done)
GS_CALL(131, Drain, Draining)
GS_CALL(132, CheckCurrent, Done)
GS_CALL(133, Serve, Served)
GS_CALL(134, LogCalls, Done)

}  // namespace gs::session
