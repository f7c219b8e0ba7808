#include "wire/noise/symmetric.hpp"

#include <sodium.h>

#include <algorithm>
#include <limits>

#include "base/crypto/crypto.hpp"

namespace gs::wire::noise {

namespace {

static_assert(crypto_aead_chacha20poly1305_IETF_ABYTES == tag_bytes);

/// Reserved by the specification for rekey().
constexpr auto nonce_end = std::numeric_limits<std::uint64_t>::max();

struct Nonce {
    explicit Nonce(std::uint64_t number) {
        for (unsigned index = 0; index < 8; ++index)
            bytes[4 + index] = static_cast<std::uint8_t>(number >> (8 * index));
    }
    std::array<std::uint8_t, crypto_aead_chacha20poly1305_IETF_NPUBBYTES> bytes{};
};

/// HMAC-SHA256 of `bytes`, then one more byte when there is one: all that HKDF of Noise needs.
Secret hmac(const Secret& key, BytesView bytes, std::uint8_t last = 0) {
    std::array<std::uint8_t, 33> text{};
    std::copy(bytes.begin(), bytes.end(), text.begin());
    text[bytes.size()] = last;
    auto tag = hmac_sha256(key.bytes(), BytesView{text}.first(bytes.size() + (last == 0 ? 0 : 1)));
    const Secret result{tag};
    sodium_memzero(text.data(), text.size());
    sodium_memzero(tag.data(), tag.size());
    return result;
}

std::array<Secret, 3> hkdf(const Secret& chaining_key, BytesView input) {
    const auto temporary = hmac(chaining_key, input);
    std::array<Secret, 3> outputs;
    outputs[0] = hmac(temporary, {}, 1);
    outputs[1] = hmac(temporary, outputs[0].bytes(), 2);
    outputs[2] = hmac(temporary, outputs[1].bytes(), 3);
    return outputs;
}

}  // namespace

bool CipherState::encrypt(BytesView associated, BytesView plain, Buffer& out) {
    if (!has_key_) {
        out.append(plain);
        return true;
    }
    if (nonce_ == nonce_end) return false;
    const Nonce nonce{nonce_};
    auto* at = out.extend(plain.size() + tag_bytes);
    if (crypto_aead_chacha20poly1305_ietf_encrypt(at, nullptr, plain.data(), plain.size(), associated.data(),
                                                  associated.size(), nullptr, nonce.bytes.data(),
                                                  key_.bytes().data()) != 0) {
        out.end_at(at);
        return false;
    }
    ++nonce_;
    return true;
}

bool CipherState::decrypt(BytesView associated, BytesView cipher, Buffer& out) {
    if (!has_key_) {
        out.append(cipher);
        return true;
    }
    if (nonce_ == nonce_end || cipher.size() < tag_bytes) return false;
    const Nonce nonce{nonce_};
    auto* at = out.extend(cipher.size() - tag_bytes);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(at, nullptr, nullptr, cipher.data(), cipher.size(), associated.data(),
                                                  associated.size(), nonce.bytes.data(), key_.bytes().data()) != 0) {
        out.end_at(at);
        return false;
    }
    ++nonce_;
    return true;
}

void CipherState::rekey() {
    static constexpr std::array<std::uint8_t, 32> zeros{};
    std::array<std::uint8_t, 32 + tag_bytes> next{};
    const Nonce nonce{nonce_end};
    // Cannot fail: it does only for texts of more than 256 GiB.
    static_cast<void>(crypto_aead_chacha20poly1305_ietf_encrypt(next.data(), nullptr, zeros.data(), zeros.size(),
                                                                nullptr, 0, nullptr, nonce.bytes.data(),
                                                                key_.bytes().data()));
    key_ = Secret{std::span<const std::uint8_t, 32>{next.data(), 32}};
    sodium_memzero(next.data(), next.size());
}

SymmetricState::SymmetricState(std::string_view protocol_name) {
    if (protocol_name.size() <= hash_.size()) {
        std::copy(protocol_name.begin(), protocol_name.end(), hash_.begin());
    } else {
        crypto_hash_sha256(hash_.data(), as_bytes(protocol_name).data(), protocol_name.size());
    }
    chaining_key_ = Secret{hash_};
}

void SymmetricState::mix_key(const Secret& input) {
    const auto outputs = hkdf(chaining_key_, input.bytes());
    chaining_key_ = outputs[0];
    cipher_ = CipherState{outputs[1]};
}

void SymmetricState::mix_hash(BytesView bytes) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, hash_.data(), hash_.size());
    crypto_hash_sha256_update(&state, bytes.data(), bytes.size());
    crypto_hash_sha256_final(&state, hash_.data());
}

void SymmetricState::mix_key_and_hash(const Secret& input) {
    const auto outputs = hkdf(chaining_key_, input.bytes());
    chaining_key_ = outputs[0];
    mix_hash(outputs[1].bytes());
    cipher_ = CipherState{outputs[2]};
}

bool SymmetricState::encrypt_and_hash(BytesView plain, Buffer& out) {
    const auto begin = out.size();
    if (!cipher_.encrypt(hash_, plain, out)) return false;
    mix_hash(out.view().subspan(begin));
    return true;
}

bool SymmetricState::decrypt_and_hash(BytesView cipher, Buffer& out) {
    if (!cipher_.decrypt(hash_, cipher, out)) return false;
    mix_hash(cipher);
    return true;
}

CipherPair SymmetricState::split() const {
    const auto outputs = hkdf(chaining_key_, {});
    return {CipherState{outputs[0]}, CipherState{outputs[1]}};
}

}  // namespace gs::wire::noise
