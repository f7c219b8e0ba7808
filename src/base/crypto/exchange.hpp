#pragma once
// X25519 key pairs, with which two sides agree on a secret that nobody else knows, and their files:
// `gs-x25519-private <key id> <base64url>` (mode 0600). Errors and blocking: as in key_file.hpp. Source: RFC 7748.
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gs {

/// 32 secret bytes, wiped from memory at the end.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::span<const std::uint8_t, 32> bytes);
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    ~Secret();

    [[nodiscard]] const std::array<std::uint8_t, 32>& bytes() const { return bytes_; }
    [[nodiscard]] std::array<std::uint8_t, 32>& bytes() { return bytes_; }

private:
    std::array<std::uint8_t, 32> bytes_{};
};

using ExchangePublicKey = std::array<std::uint8_t, 32>;

class ExchangeKey {
public:
    [[nodiscard]] static ExchangeKey generate();
    [[nodiscard]] static ExchangeKey from_secret(const Secret& secret);

    [[nodiscard]] const Secret& secret() const { return secret_; }
    [[nodiscard]] const ExchangePublicKey& public_key() const { return public_key_; }
    /// The hash of the public key, cut to 8 bytes, in hex.
    [[nodiscard]] std::string id() const;
    /// Errors: invalid when the other key is one of the few with which everybody would agree on zero.
    [[nodiscard]] Result<Secret> agree(const ExchangePublicKey& other) const;

private:
    ExchangeKey(const Secret& secret, const ExchangePublicKey& public_key) : secret_{secret}, public_key_{public_key} {}

    Secret secret_;
    ExchangePublicKey public_key_;
};

Result<ExchangeKey> load_exchange_key(const std::filesystem::path& path);
/// Makes the file when it is missing. Of several processes that start at once one makes it and all get the same key.
Result<ExchangeKey> load_or_create_exchange_key(const std::filesystem::path& path);

}  // namespace gs
