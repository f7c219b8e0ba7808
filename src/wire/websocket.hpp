#pragma once
// WebSocket, sans I/O: the frames of a connection whose binary messages carry the byte stream of the native protocol,
// and the HTTP exchange before them. Where messages begin and end means nothing: their payloads in a row are the stream.
// Owner: the caller moves the bytes. Errors: a reason that the other side is told.
// Source: RFC 6455. Extensions are not offered; text messages are refused.
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gs::wire::websocket {

/// What a client must offer, so that no page speaks to this port by mistake.
inline constexpr std::string_view subprotocol = "gameserver.v1";
inline constexpr std::size_t head_bytes_max = 8192;
inline constexpr std::uint64_t frame_bytes_max = 1U << 20U;  ///< of what is received

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

namespace status {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t not_accepted = 1003;
inline constexpr std::uint16_t none = 1005;  ///< never on the wire: a close frame without a code
inline constexpr std::uint16_t bad_text = 1007;
inline constexpr std::uint16_t policy = 1008;
inline constexpr std::uint16_t too_big = 1009;
}  // namespace status

struct Close {
    std::uint16_t code = status::normal;  ///< to answer with
    std::string reason;
    bool is_fault = false;  ///< the other side broke a rule; else it said goodbye
};

/// Of clients every frame is masked, of servers none.
using Mask = std::array<std::uint8_t, 4>;

class Reader {
public:
    struct Found {
        std::optional<Binary> ping;  ///< what the latest ping holds: to be answered
        std::optional<Close> close;  ///< nothing behind it is read
    };
    explicit Reader(bool expects_masks) : expects_masks_{expects_masks} {}
    /// Takes all of `bytes` and appends to `stream` what binary messages hold, as far as it is there.
    [[nodiscard]] Found read(BytesView bytes, Buffer& stream);

private:
    struct FrameHeader;
    [[nodiscard]] std::optional<Close> take(BytesView& input, Buffer& stream, Found& found);
    [[nodiscard]] std::optional<Close> check(const FrameHeader& header);
    [[nodiscard]] static Close goodbye(BytesView payload);

    Binary partial_;  // a frame header, or a control frame, that is not whole yet
    std::uint64_t payload_left_ = 0;
    Mask mask_{};
    std::uint8_t mask_at_ = 0;
    bool in_message_ = false;         // its last frame has not come
    std::size_t empty_in_a_row_ = 0;  // frames that carry nothing of the stream
    const bool expects_masks_;
};

/// A whole frame around `payload`, or its header only, in front of `size` bytes that are not masked.
void write_frame(Buffer& out, Opcode opcode, BytesView payload, const std::optional<Mask>& mask);
void write_frame_header(Buffer& out, Opcode opcode, std::size_t size);
/// The reason is cut to what fits.
void write_close(Buffer& out, std::uint16_t code, std::string_view reason, const std::optional<Mask>& mask);

/// A client's request to speak WebSocket.
struct Upgrade {
    std::size_t consumed = 0;  ///< 0: the request is not whole yet
    std::string key;
    int refusal = 0;  ///< not 0: the HTTP status of a request that cannot be granted, and why
    std::string reason;
};
[[nodiscard]] Upgrade read_upgrade(BytesView bytes);
void write_upgrade_answer(Buffer& out, std::string_view key);
/// HTTP, for people: whoever opens this port with a browser or curl reads it.
void write_refusal(Buffer& out, int refusal, std::string_view reason);

void write_upgrade(Buffer& out, std::string_view host, std::string_view key);
/// How many bytes the server's answer has; 0: it is not whole yet. Errors: it is not the one to `key`.
[[nodiscard]] Result<std::size_t> read_upgrade_answer(BytesView bytes, std::string_view key);
/// For a client's request: 16 random bytes as text.
[[nodiscard]] std::string make_key();

}  // namespace gs::wire::websocket
