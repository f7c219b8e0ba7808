#include "base/crypto/exchange.hpp"

#include <sodium.h>

#include <algorithm>

#include "base/crypto/crypto.hpp"
#include "base/crypto/key_file.hpp"

namespace gs {

namespace {
constexpr KeyFileKind exchange_kind{"gs-x25519-private", "key", true};
}  // namespace

Secret::Secret(std::span<const std::uint8_t, 32> bytes) { std::copy(bytes.begin(), bytes.end(), bytes_.begin()); }

Secret::~Secret() { sodium_memzero(bytes_.data(), bytes_.size()); }

ExchangeKey ExchangeKey::generate() {
    Secret secret;
    fill_random(secret.bytes());
    return from_secret(secret);
}

ExchangeKey ExchangeKey::from_secret(const Secret& secret) {
    ExchangePublicKey public_key{};
    // The only failure is that of a point which is not the base point.
    if (crypto_scalarmult_base(public_key.data(), secret.bytes().data()) != 0)
        throw Error{Code::internal, "libsodium could not make an X25519 public key"};
    return {secret, public_key};
}

std::string ExchangeKey::id() const { return hex_encode(BytesView{blake2b_256(public_key_)}.first(8)); }

Result<Secret> ExchangeKey::agree(const ExchangePublicKey& other) const {
    Secret agreed;
    // libsodium refuses the points of low order; the result is checked as well, since that is what RFC 7748 asks for.
    const bool done = crypto_scalarmult(agreed.bytes().data(), secret_.bytes().data(), other.data()) == 0;
    if (!done || sodium_is_zero(agreed.bytes().data(), agreed.bytes().size()) != 0)
        return Error{Code::invalid, "the other side's public key is not a usable one"};
    return agreed;
}

Result<ExchangeKey> load_exchange_key(const std::filesystem::path& path) {
    auto line = read_key_file(path, exchange_kind);
    if (!line) return line.error();
    Secret secret;
    if (line->bytes.size() != secret.bytes().size()) return not_a_key(path, exchange_kind);
    std::copy(line->bytes.begin(), line->bytes.end(), secret.bytes().begin());
    sodium_memzero(line->bytes.data(), line->bytes.size());
    auto key = ExchangeKey::from_secret(secret);
    if (key.id() != line->id) return wrong_key_id(path, line->id, key.id());
    return key;
}

Result<ExchangeKey> load_or_create_exchange_key(const std::filesystem::path& path) {
    auto existing = load_exchange_key(path);
    if (existing || existing.error().code() != Code::not_found) return existing;
    const auto key = ExchangeKey::generate();
    const auto& secret = key.secret().bytes();
    const auto saved = create_key_file(path, exchange_kind, {key.id(), {secret.begin(), secret.end()}});
    if (!saved && saved.error().code() != Code::conflict) return saved.error();
    return load_exchange_key(path);
}

}  // namespace gs
