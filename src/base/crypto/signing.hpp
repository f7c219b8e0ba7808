#pragma once
// Ed25519 key pairs and their files: one line each, `gs-ed25519-private <key id> <base64url>` (mode 0600) and
// `gs-ed25519-public <key id> <base64url>`. A key id is the hash of the public key, cut to 8 bytes, in hex.
// Errors: not_found (no such file), forbidden (a private key that others can read, or no permission), conflict (exists
// already), invalid (not a key file). Loop: file functions block. Source: RFC 8032.
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gs {

using Signature = std::array<std::uint8_t, 64>;

class PublicKey {
public:
    explicit PublicKey(const std::array<std::uint8_t, 32>& bytes);

    [[nodiscard]] const std::array<std::uint8_t, 32>& bytes() const { return bytes_; }
    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] bool verify(BytesView message, const Signature& signature) const;

private:
    std::array<std::uint8_t, 32> bytes_;
    std::string id_;
};

/// Holds the secret and wipes it from memory at the end.
class SigningKey {
public:
    [[nodiscard]] static SigningKey generate();
    [[nodiscard]] static SigningKey from_seed(const std::array<std::uint8_t, 32>& seed);
    SigningKey(const SigningKey&) = default;
    SigningKey& operator=(const SigningKey&) = default;
    ~SigningKey();

    [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
    [[nodiscard]] const std::string& id() const { return public_key_.id(); }
    [[nodiscard]] std::array<std::uint8_t, 32> seed() const;
    [[nodiscard]] Signature sign(BytesView message) const;

private:
    SigningKey(const std::array<std::uint8_t, 64>& secret, const std::array<std::uint8_t, 32>& public_bytes);

    std::array<std::uint8_t, 64> secret_;
    PublicKey public_key_;
};

/// Never replaces a file: an existing one gives conflict.
Result<void> save_private_key(const std::filesystem::path& path, const SigningKey& key);
Result<SigningKey> load_private_key(const std::filesystem::path& path);
/// Makes the file when it is missing. Of several processes that start at once one makes it and all get the same key.
Result<SigningKey> load_or_create_private_key(const std::filesystem::path& path);

/// Replaces the file in one step.
Result<void> save_public_key(const std::filesystem::path& path, const PublicKey& key);
Result<PublicKey> load_public_key(const std::filesystem::path& path);

}  // namespace gs
