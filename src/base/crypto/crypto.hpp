#pragma once
// Random bytes, hashing and the two text forms of bytes. Other code reaches libsodium only through this folder.
// Loop: any thread, once crypto_init() has returned. Errors: decoding gives Code::invalid and never repeats the text,
// which may be a secret.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gs {

/// Call first, in main; calling it again is harmless.
Result<void> crypto_init();

void fill_random(std::span<std::uint8_t> bytes);
[[nodiscard]] std::uint64_t random_u64();

/// BLAKE2b with 32 bytes of output: for key ids and for storing random tokens, not for passwords.
[[nodiscard]] std::array<std::uint8_t, 32> blake2b_256(BytesView bytes);

/// For the WebSocket handshake alone: it is broken as a hash. Source: RFC 3174.
[[nodiscard]] std::array<std::uint8_t, 20> sha1(BytesView bytes);

/// Source: RFC 2104 with SHA-256. The key may have any length; 32 bytes are enough.
[[nodiscard]] std::array<std::uint8_t, 32> hmac_sha256(BytesView key, BytesView bytes);
/// In a time that does not tell where they differ.
[[nodiscard]] bool equal_secrets(BytesView one, BytesView other);

[[nodiscard]] std::string hex_encode(BytesView bytes);
Result<Binary> hex_decode(std::string_view text);

/// Without padding, as in JWT. Source: RFC 4648 section 5. Decoding accepts only what encoding produces.
[[nodiscard]] std::string base64url_encode(BytesView bytes);
Result<Binary> base64url_decode(std::string_view text);

/// With padding, as in JSON of binary fields. Source: RFC 4648 section 4.
[[nodiscard]] std::string base64_encode(BytesView bytes);
Result<Binary> base64_decode(std::string_view text);

}  // namespace gs
