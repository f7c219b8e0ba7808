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
    FIELDS(code, message, protocol, features, security, heartbeat_ms, frame_bytes_max, handshake)
};

struct Entered {
    PlayerId player{};
    std::uint64_t server_time_ms = 0;
    FIELDS(player, server_time_ms)
};
struct Enter {
    std::string token;
    static constexpr bool secret = true;
    FIELDS(token)
};

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
    FIELDS(code, reason, reconnect)
};

GS_MESSAGE_INFO(request, 1, Enter, Entered)
GS_MESSAGE_INFO(push, 2, Ping)
GS_MESSAGE_INFO(push, 3, Pong)
GS_MESSAGE_INFO(push, 4, Close)

/// Hello frames' payloads (magic and body).
[[nodiscard]] Result<ClientHello> parse_client_hello(BytesView payload);
[[nodiscard]] Result<ServerHello> parse_server_hello(BytesView payload);
void write_hello(Buffer& out, const ClientHello& hello);
void write_hello(Buffer& out, const ServerHello& hello);

/// What a connection that is not ours seems to speak, from its first bytes ("HTTP", "TLS", "SSH"), or empty.
[[nodiscard]] std::string_view foreign_protocol(BytesView first_bytes);

}  // namespace gs::wire
