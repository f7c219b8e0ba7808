#pragma once
// The server's own part of the client protocol: hello, enter, heartbeat, close. Commands below 1000.
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/message.hpp"
#include "base/result.hpp"

namespace gs::wire {

inline constexpr std::uint16_t protocol_version = 1;
/// The first bytes of the first frame each way; anything else is another product's client.
inline constexpr std::string_view hello_magic = "GSP1";

/// First frame of a client, after the magic.
struct ClientHello {
    std::uint16_t protocol_min = protocol_version;
    std::uint16_t protocol_max = protocol_version;
    std::string client_version;
    std::uint64_t features = 0;
    Binary handshake;  ///< first handshake message of a secured listener
    FIELDS(protocol_min, protocol_max, client_version, features, handshake)
};

/// The server's answer. A code other than ok says why the connection closes.
struct ServerHello {
    Code code = Code::ok;
    std::string message;
    std::uint16_t protocol = protocol_version;
    std::uint64_t features = 0;
    std::string security = "none";
    std::uint32_t heartbeat_ms = 0;
    std::uint32_t frame_bytes_max = 0;
    Binary handshake;
    Binary nonce;  ///< of this connection: a proof of a session is made for it and good for it only
    FIELDS(code, message, protocol, features, security, heartbeat_ms, frame_bytes_max, handshake, nonce)
};

/// What became of the session.
enum class SessionState : std::uint8_t {
    fresh = 0,    ///< a new one: numbers start at 1 both ways
    resumed = 1,  ///< it goes on; everything that the client has not got follows
    gap = 2,      ///< it goes on, and pushes may be lost: the client gets what a fresh one gets, and all its replies
};
struct Entered {
    PlayerId player{};
    std::uint64_t server_time_ms = 0;
    std::uint64_t session = 0;  ///< its name
    Binary key;                 ///< its secret: 32 bytes, the same through its life
    SessionState state = SessionState::fresh;
    std::uint64_t received = 0;  ///< the client's requests up to this one have arrived: it sends the later ones again
    std::uint64_t next = 1;      ///< the number of the server's next message
    static constexpr bool secret = true;
    FIELDS(player, server_time_ms, session, key, state, received, next)
};
/// The first request on a connection, and the only one with the request id 0. With a token it begins a session; with
/// the others it resumes one.
struct Enter {
    std::string token;
    PlayerId player{};
    std::uint64_t session = 0;
    std::uint64_t received = 0;  ///< the last number that the client has, without a hole
    std::uint64_t answered = 0;  ///< the client waits for no reply to its requests up to this one
    Binary proof;                ///< see session_proof()
    std::string device{};        ///< a name of the device, of the client's choice, that a ban may name
    static constexpr bool secret = true;
    FIELDS(token, player, session, received, answered, proof, device)
};

/// HMAC-SHA256 by the session's key over the connection's nonce, then player, session, received and answered as 8 bytes
/// each, little-endian.
[[nodiscard]] Binary session_proof(BytesView key, BytesView nonce, const Enter& enter);

/// Either side sends it; the other answers with Pong at once.
struct Ping {
    std::uint64_t sent_us = 0;  ///< the sender's own clock, echoed
    std::uint32_t rtt_us = 0;   ///< what the sender measured last, so that both sides know
    FIELDS(sent_us, rtt_us)
};
struct Pong {
    std::uint64_t sent_us = 0;
    FIELDS(sent_us)
};

/// The last message before the server closes a connection, and why.
struct Close {
    Code code = Code::ok;
    std::string reason;
    bool reconnect = true;  ///< false: trying again will not help (a newer login, a ban)
    std::string upgrade{};  ///< with outdated: where the player gets a newer client; empty: the reason says all
    FIELDS(code, reason, reconnect, upgrade)
};

/// Of the client: the last number that it has, without a hole. At the latest after 64 messages, 16 KiB or 2 s with
/// messages; requests carry it as well.
struct Ack {
    std::uint64_t received = 0;
    FIELDS(received)
};
/// The server to a client that enters while the server is full: it waits, and hears this again at least every few
/// seconds, until it is let in or refused.
struct Queued {
    std::uint32_t position = 0;      ///< 1: the next one
    std::uint32_t wait_seconds = 0;  ///< about; 0: nobody knows
    FIELDS(position, wait_seconds)
};
/// Of the client, before it closes: the session ends here, nobody will resume it.
struct Leave {
    FIELDS()
};

GS_MESSAGE_INFO(request, 1, Enter, Entered)
GS_MESSAGE_INFO(push, 2, Ping)
GS_MESSAGE_INFO(push, 3, Pong)
GS_MESSAGE_INFO(push, 4, Close)
GS_MESSAGE_INFO(push, 5, Ack)
GS_MESSAGE_INFO(push, 6, Leave)
GS_MESSAGE_INFO(push, 7, Queued)

/// Hello frames' payloads (magic and body).
[[nodiscard]] Result<ClientHello> parse_client_hello(BytesView payload);
[[nodiscard]] Result<ServerHello> parse_server_hello(BytesView payload);
void write_hello(Buffer& out, const ClientHello& hello);
void write_hello(Buffer& out, const ServerHello& hello);

/// What a connection that is not ours seems to speak, from its first bytes ("HTTP", "TLS", "SSH"), or empty.
[[nodiscard]] std::string_view foreign_protocol(BytesView first_bytes);

}  // namespace gs::wire
