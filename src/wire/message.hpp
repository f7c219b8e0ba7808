#pragma once
// One message of the native client protocol inside its frame: a small header, then the msgpack body. The gateway passes
// these bytes on as they are; only the game looks into the body. Described for other languages in docs/protocol.md.
//   u8 flags (kind in the low 2 bits) | u16 command, little-endian | varint request id (requests and replies)
//   | varint session (flag session) | body
// What client and gateway have agreed on besides (compression, checksum, time) is added and taken away at both ends:
// wire/sealing.hpp.
// Session streams (docs/protocol.md): what the server must not lose has a number, 1, 2, 3 ... through the life of the
// session; a client acknowledges the last one that it has without a hole. The client's own stream is numbered by the
// request ids.
// Errors: a reason a stranger understands; bits that were not negotiated are refused, so that they stay free for use.
#include "base/error.hpp"
#include "base/message.hpp"
#include "base/msgpack.hpp"
#include "wire/frame.hpp"

namespace gs::wire {

enum class Kind : std::uint8_t { request = 0, reply = 1, push = 2, control = 3 };

namespace flag {
inline constexpr std::uint8_t kind_mask = 0x03;
inline constexpr std::uint8_t error = 0x04;       ///< a reply whose body is ErrorBody
inline constexpr std::uint8_t compressed = 0x08;  ///< sealed: the body is its length as varint and an LZ4 block
inline constexpr std::uint8_t session = 0x10;     ///< replies and pushes: numbered; requests: with acknowledgement
inline constexpr std::uint8_t secret = 0x20;      ///< replies and pushes: never compressed; not for logs
inline constexpr std::uint8_t time = 0x20;        ///< sealed requests: milliseconds since the client's start follow
inline constexpr std::uint8_t checksum = 0x40;    ///< sealed: CRC32C of all before it, at the end
inline constexpr std::uint8_t state = 0x80;       ///< a push that the next one of its command replaces
}  // namespace flag

struct Header {
    Kind kind = Kind::push;
    bool error = false;
    Command command = 0;
    std::uint64_t request_id = 0;
    std::uint64_t session = 0;  ///< of a reply or push: its number; of a request: the acknowledgement; 0: none
    bool state = false;
    bool secret = false;  ///< only replies and pushes say it
};

struct MessageView {
    Header header;
    BytesView body;
    BytesView raw;                ///< header and body: what the gateway relays
    const char* fault = nullptr;  ///< why it cannot be read; the rest is empty then
};

struct ErrorBody {
    Code code = Code::internal;
    std::string message;
    FIELDS(code, message)
};

inline constexpr std::size_t header_bytes_max = 23;

[[nodiscard]] MessageView parse_message(BytesView payload);

/// A push that the next one of its command replaces: that command, of a whole message; else 0, which no push has.
[[nodiscard]] inline Command state_command(BytesView payload) {
    const bool is_state = payload.size() >= 3 && (payload[0] & flag::state) != 0 &&
                          static_cast<Kind>(payload[0] & flag::kind_mask) == Kind::push;
    return is_state ? static_cast<Command>(payload[1] | (payload[2] << 8U)) : Command{0};
}

inline constexpr std::size_t varint_bytes_max = 10;

/// Returns the place after it; there must be room for varint_bytes_max.
[[nodiscard]] inline std::uint8_t* write_varint(std::uint8_t* at, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::uint8_t>(value | 0x80);
    *at++ = static_cast<std::uint8_t>(value);
    return at;
}
/// False when it does not end, or is longer than 64 bits.
[[nodiscard]] inline bool read_varint(BytesView& bytes, std::uint64_t& value) {
    if (!bytes.empty() && bytes[0] < 0x80) {
        value = bytes[0];
        bytes = bytes.subspan(1);
        return true;
    }
    value = 0;
    for (std::size_t index = 0; index < bytes.size() && index < 10; ++index) {
        const std::uint64_t part = bytes[index] & 0x7fU;
        if (index == 9 && part > 1) return false;
        value |= part << (7 * index);
        if ((bytes[index] & 0x80U) == 0) {
            bytes = bytes.subspan(index + 1);
            return true;
        }
    }
    return false;
}

inline void write_header(Buffer& out, const Header& header) {
    auto* at = out.extend(header_bytes_max);
    *at++ = static_cast<std::uint8_t>(static_cast<std::uint8_t>(header.kind) | (header.error ? flag::error : 0) |
                                      (header.session != 0 ? flag::session : 0) | (header.state ? flag::state : 0) |
                                      (header.secret ? flag::secret : 0));
    *at++ = static_cast<std::uint8_t>(header.command);
    *at++ = static_cast<std::uint8_t>(header.command >> 8);
    if (header.kind == Kind::request || header.kind == Kind::reply) at = write_varint(at, header.request_id);
    if (header.session != 0) at = write_varint(at, header.session);
    out.end_at(at);
}

template <class Body>
void write_message(Buffer& out, const Header& header, const Body& body) {
    write_header(out, header);
    msgpack::encode_to(out, body);
}
/// `request` is the header of the request that it answers; `number` its place in the session.
void write_error(Buffer& out, const Header& request, const Error& error, std::uint64_t number = 0);

/// A whole frame holding one message.
template <class Body>
void write_framed(Buffer& out, const Header& header, const Body& body) {
    const auto begin = begin_frame(out);
    write_message(out, header, body);
    finish_frame(out, begin);
}

}  // namespace gs::wire
