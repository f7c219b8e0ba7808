#include "base/crypto/signing.hpp"

#include <sodium.h>

#include <algorithm>

#include "base/crypto/crypto.hpp"
#include "base/crypto/key_file.hpp"

namespace gs {
namespace {

constexpr KeyFileKind private_kind{"gs-ed25519-private", "key", true};
constexpr KeyFileKind public_kind{"gs-ed25519-public", "key"};

Result<std::array<std::uint8_t, 32>> load_bytes(const std::filesystem::path& path, const KeyFileKind& kind,
                                                std::string& id) {
    auto line = read_key_file(path, kind);
    if (!line) return line.error();
    std::array<std::uint8_t, 32> bytes{};
    if (line->bytes.size() != bytes.size()) return not_a_key(path, kind);
    std::copy(line->bytes.begin(), line->bytes.end(), bytes.begin());
    sodium_memzero(line->bytes.data(), line->bytes.size());
    id = std::move(line->id);
    return bytes;
}

}  // namespace

PublicKey::PublicKey(const std::array<std::uint8_t, 32>& bytes)
    : bytes_{bytes}, id_{hex_encode(BytesView{blake2b_256(bytes)}.first(8))} {}

bool PublicKey::verify(BytesView message, const Signature& signature) const {
    return crypto_sign_verify_detached(signature.data(), message.data(), message.size(), bytes_.data()) == 0;
}

SigningKey::SigningKey(const std::array<std::uint8_t, 64>& secret, const std::array<std::uint8_t, 32>& public_bytes)
    : secret_{secret}, public_key_{public_bytes} {}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

SigningKey SigningKey::generate() {
    std::array<std::uint8_t, 32> seed{};
    fill_random(seed);
    auto key = from_seed(seed);
    sodium_memzero(seed.data(), seed.size());
    return key;
}

SigningKey SigningKey::from_seed(const std::array<std::uint8_t, 32>& seed) {
    std::array<std::uint8_t, 32> public_bytes{};
    std::array<std::uint8_t, 64> secret{};
    crypto_sign_seed_keypair(public_bytes.data(), secret.data(), seed.data());
    SigningKey key{secret, public_bytes};
    sodium_memzero(secret.data(), secret.size());
    return key;
}

std::array<std::uint8_t, 32> SigningKey::seed() const {
    std::array<std::uint8_t, 32> seed{};
    crypto_sign_ed25519_sk_to_seed(seed.data(), secret_.data());
    return seed;
}

Signature SigningKey::sign(BytesView message) const {
    Signature signature{};
    crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), secret_.data());
    return signature;
}

Result<void> save_private_key(const std::filesystem::path& path, const SigningKey& key) {
    const auto seed = key.seed();
    return create_key_file(path, private_kind, {key.id(), {seed.begin(), seed.end()}});
}

Result<SigningKey> load_private_key(const std::filesystem::path& path) {
    std::string id;
    const auto seed = load_bytes(path, private_kind, id);
    if (!seed) return seed.error();
    auto key = SigningKey::from_seed(*seed);
    if (key.id() != id) return wrong_key_id(path, id, key.id());
    return key;
}

Result<SigningKey> load_or_create_private_key(const std::filesystem::path& path) {
    auto existing = load_private_key(path);
    if (existing || existing.error().code() != Code::not_found) return existing;
    const auto saved = save_private_key(path, SigningKey::generate());
    if (!saved && saved.error().code() != Code::conflict) return saved.error();
    return load_private_key(path);
}

Result<void> save_public_key(const std::filesystem::path& path, const PublicKey& key) {
    return replace_key_file(path, public_kind, {key.id(), {key.bytes().begin(), key.bytes().end()}});
}

Result<PublicKey> load_public_key(const std::filesystem::path& path) {
    std::string id;
    const auto bytes = load_bytes(path, public_kind, id);
    if (!bytes) return bytes.error();
    PublicKey key{*bytes};
    if (key.id() != id) return wrong_key_id(path, id, key.id());
    return key;
}

}  // namespace gs
