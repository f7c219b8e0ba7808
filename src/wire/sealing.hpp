#pragma once
// What client and gateway do to a message besides encryption, as their hellos have agreed: compression, a checksum where
// nothing is encrypted, and the time at which a request was sent. Between the two ends messages are as message.hpp says.
// A sealed message: flags | command | request id | session | varint time | varint length of the body (compressed)
//   | body | CRC32C, 4 bytes, little-endian (checksum)
// Errors: a reason that a stranger understands; nothing is allocated for a length that was not checked.
// Source: LZ4 block format; CRC32C as in RFC 3720.
#include <cstdint>
#include <optional>

#include "wire/message.hpp"

namespace gs::wire {

/// Bits of ClientHello::features and ServerHello::features.
namespace feature {
inline constexpr std::uint64_t compression = 1;  ///< long messages may come as LZ4 blocks, both ways
inline constexpr std::uint64_t checksum = 2;     ///< each message has one; only where nothing is encrypted
inline constexpr std::uint64_t time = 4;         ///< each request says when it was sent
inline constexpr std::uint64_t all = compression | checksum | time;
}  // namespace feature

/// Why a sealed message was refused.
enum class SealFault : std::uint8_t { none, malformed, checksum, compression };

struct Unsealed {
    SealFault fault = SealFault::none;
    const char* why = nullptr;
    std::optional<std::uint64_t> sent_ms;  ///< of a request, where times were agreed on
};

/// The payload stands as it is in the frame that came: it is a message that nothing was done to.
[[nodiscard]] inline bool is_plain(BytesView payload, std::uint64_t features) {
    return (features & (feature::checksum | feature::time)) == 0 &&
           (payload.empty() || (payload[0] & (flag::compressed | flag::checksum)) == 0);
}
/// From a server, or from a client. Appends the message as a frame of its own; nothing with a fault.
[[nodiscard]] Unsealed unseal(BytesView payload, bool from_client, std::uint64_t features, std::size_t bytes_max,
                              Buffer& out);

struct Sealing {
    std::uint64_t features = 0;
    std::size_t compress_from = 1024;      ///< shorter bodies are left as they are; 0: all are
    std::optional<std::uint64_t> sent_ms;  ///< of a client: put into requests
};
/// Appends the frame of that message. `secret`: as its header says, or as a client knows.
void seal(BytesView payload, const Sealing& sealing, bool secret, Buffer& out);

}  // namespace gs::wire
