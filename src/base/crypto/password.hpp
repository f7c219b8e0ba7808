#pragma once
// Passwords as Argon2id strings. Loop: never on one; each call takes `memory_kib` of memory and tens of milliseconds,
// so it belongs in a bounded pool. Source: RFC 9106.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gs {

inline constexpr std::size_t password_bytes_max = 1024;

struct PasswordCost {
    std::uint32_t memory_kib = 65536;
    std::uint32_t passes = 2;
};

/// Errors: invalid (empty or too long password, cost out of range), busy (no memory for the hash now).
Result<std::string> hash_password(std::string_view password, PasswordCost cost = {});

[[nodiscard]] bool verify_password(std::string_view hash, std::string_view password);

/// A hash that no password has. Verify against it when the user is unknown, so that the time tells nobody who exists.
[[nodiscard]] std::string dummy_hash(PasswordCost cost = {});

}  // namespace gs
