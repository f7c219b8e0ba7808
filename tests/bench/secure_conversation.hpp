// The encryption of the native protocol around a conversation: Noise_NX_25519_ChaChaPoly_SHA256 as the initiator.
// Written without the server's own code on purpose, like gs_conversation.hpp. The certificate is not checked: what is
// measured is the server.
// Source: docs/protocol.md, "Encryption"
#pragma once

#include "gs_conversation.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace gs::bench {

using Key = std::array<unsigned char, 32>;

// One direction after the handshake; also the cipher of the handshake itself.
class NoiseCipher {
public:
    static constexpr std::size_t tag_bytes = crypto_aead_chacha20poly1305_ietf_ABYTES;

    explicit NoiseCipher(const Key& key) : key_{key} {}

    void encrypt(std::string_view plain, std::string& out, std::string_view associated = {}) {
        const auto begin = out.size();
        out.resize(begin + plain.size() + tag_bytes);
        crypto_aead_chacha20poly1305_ietf_encrypt(bytes_of(out) + begin, nullptr, bytes_of(plain), plain.size(),
                                                  bytes_of(associated), associated.size(), nullptr,
                                                  nonce(number_++).data(), key_.data());
    }
    bool decrypt(std::string_view cipher, std::string& out, std::string_view associated = {}) {
        if (cipher.size() < tag_bytes) {
            return false;
        }
        const auto begin = out.size();
        out.resize(begin + cipher.size() - tag_bytes);
        return crypto_aead_chacha20poly1305_ietf_decrypt(bytes_of(out) + begin, nullptr, nullptr, bytes_of(cipher),
                                                         cipher.size(), bytes_of(associated), associated.size(),
                                                         nonce(number_++).data(), key_.data()) == 0;
    }
    // After each 65,536 records.
    void rekey_when_due() {
        if (number_ % 65'536 != 0) {
            return;
        }
        const Key zeros{};
        std::array<unsigned char, 32 + tag_bytes> next{};
        crypto_aead_chacha20poly1305_ietf_encrypt(next.data(), nullptr, zeros.data(), zeros.size(), nullptr, 0, nullptr,
                                                  nonce(~std::uint64_t{0}).data(), key_.data());
        std::copy_n(next.begin(), key_.size(), key_.begin());
    }

    static const unsigned char* bytes_of(std::string_view text) {
        return reinterpret_cast<const unsigned char*>(text.data());
    }
    static unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

private:
    static std::array<unsigned char, 12> nonce(std::uint64_t number) {
        std::array<unsigned char, 12> bytes{};
        for (unsigned i = 0; i < 8; ++i) {
            bytes[4 + i] = static_cast<unsigned char>(number >> (8 * i));
        }
        return bytes;
    }

    Key key_;
    std::uint64_t number_ = 0;
};

class SecureConversation final : public Conversation {
public:
    explicit SecureConversation(std::unique_ptr<GsConversation> inner) : inner_{std::move(inner)} {}

    bool ready() const override { return inner_->ready(); }

    void open(std::string& out) override {
        Key public_key{};
        randombytes_buf(secret_.data(), secret_.size());
        crypto_scalarmult_base(public_key.data(), secret_.data());
        const auto e = text_of(public_key);
        const std::string prologue{"GSP1\x95\x01\x01\xa4load\x00\xc4\x20", 15};
        const std::string_view name = "Noise_NX_25519_ChaChaPoly_SHA256";
        std::copy(name.begin(), name.end(), hash_.begin());
        chaining_ = hash_;
        mix_hash(prologue);
        mix_hash(e);
        mix_hash({});  // the first message has no payload
        append_u32(out, static_cast<std::uint32_t>(prologue.size() + e.size()));
        out += prologue;
        out += e;
    }

    void request(std::string&) override { inner_->request(plain_out_); }

    // All that was asked for since the last time, in as few records as hold it.
    void flush(std::string& out) override {
        for (std::string_view rest{plain_out_}; !rest.empty();) {
            const auto piece = rest.substr(0, record_plain_bytes_max);
            append_u32(out, static_cast<std::uint32_t>(piece.size() + NoiseCipher::tag_bytes));
            sending_->encrypt(piece, out);
            sending_->rekey_when_due();
            rest.remove_prefix(piece.size());
        }
        plain_out_.clear();
    }

    std::size_t received(std::string_view bytes, std::string&, Found& found) override {
        std::size_t used = 0;
        while (bytes.size() - used >= 4 && found.error.empty()) {
            const std::size_t length = read_u32(bytes.substr(used));
            if (bytes.size() - used - 4 < length) {
                break;
            }
            const auto frame = bytes.substr(used + 4, length);
            used += 4 + length;
            if (!receiving_) {
                take_hello(frame, found);
            } else if (!receiving_->decrypt(frame, plain_in_)) {
                found.error = "a record does not decrypt";
            } else {
                receiving_->rekey_when_due();
            }
        }
        const auto error = found.error;
        const auto taken = inner_->received(plain_in_, plain_out_, found);
        plain_in_.erase(0, taken);
        if (!error.empty()) {
            found.error = error;
        }
        return used;
    }

private:
    static constexpr std::size_t record_plain_bytes_max = 65'519;

    static std::string text_of(const Key& key) { return {reinterpret_cast<const char*>(key.data()), key.size()}; }
    static Key key_of(std::string_view text) {
        Key key{};
        std::copy_n(text.begin(), std::min(text.size(), key.size()), key.begin());
        return key;
    }

    void mix_hash(std::string_view data) {
        const auto joined = text_of(hash_) + std::string{data};
        crypto_hash_sha256(hash_.data(), NoiseCipher::bytes_of(joined), joined.size());
    }
    static Key hmac(const Key& key, std::string_view data) {
        Key tag{};
        crypto_auth_hmacsha256(tag.data(), NoiseCipher::bytes_of(data), data.size(), key.data());
        return tag;
    }
    // HKDF of Noise with two outputs: the first becomes the chaining key.
    Key mix(std::string_view input) {
        const auto temporary = hmac(chaining_, input);
        chaining_ = hmac(temporary, "\x01");
        return hmac(temporary, text_of(chaining_) + '\x02');
    }
    Key agree(std::string_view public_key) {
        Key shared{};
        if (crypto_scalarmult(shared.data(), secret_.data(), NoiseCipher::bytes_of(public_key)) != 0) {
            shared.fill(0);  // nothing decrypts with it
        }
        return shared;
    }
    bool decrypt_and_hash(NoiseCipher& cipher, std::string_view data, std::string& plain) {
        const bool good = cipher.decrypt(data, plain, text_of(hash_));
        mix_hash(data);
        return good;
    }

    // A msgpack bin at the front of `rest`.
    static std::string_view take_bin(std::string_view& rest) {
        const bool two = !rest.empty() && rest[0] == '\xc5';
        const std::size_t header = two ? 3 : 2;
        if (rest.size() < header) {
            return rest = {};
        }
        const auto byte = [&](std::size_t at) { return std::size_t{static_cast<unsigned char>(rest[at])}; };
        const auto size = two ? byte(1) << 8 | byte(2) : byte(1);
        const auto value = rest.substr(header, size);
        rest.remove_prefix(std::min(rest.size(), header + size));
        return value;
    }

    void take_hello(std::string_view hello, Found& found) {
        // code 0, no message, protocol 1, no features, "noise", 0, 0, then the handshake
        const std::string_view expected{"GSP1\x99\x00\xa0\x01\x00\xa5noise\x00\x00", 17};
        auto rest = hello.substr(std::min(hello.size(), expected.size()));
        const auto message = take_bin(rest);
        if (hello.substr(0, expected.size()) != expected || message.size() < 32 + 48 + NoiseCipher::tag_bytes) {
            found.error = "the hello was refused, or is not of an encrypted server";
            return;
        }
        const auto e = message.substr(0, 32);
        mix_hash(e);
        NoiseCipher first{mix(text_of(agree(e)))};
        std::string key, payload;
        bool good = decrypt_and_hash(first, message.substr(32, 48), key);
        NoiseCipher second{mix(text_of(agree(key)))};
        good = good && decrypt_and_hash(second, message.substr(80), payload);
        if (!good || payload.substr(0, 2) != "\x92\x92") {
            found.error = "the server's handshake does not decrypt";
            return;
        }
        const auto back = mix({});  // Split: the chaining key is that of the client's direction
        sending_ = std::make_unique<NoiseCipher>(chaining_);
        receiving_ = std::make_unique<NoiseCipher>(back);
        auto inside = std::string_view{payload}.substr(2);
        take_bin(inside);  // certificate
        take_bin(inside);  // signature
        append_u32(plain_in_, static_cast<std::uint32_t>(4 + inside.size()));
        plain_in_ += "GSP1";
        plain_in_ += inside;
    }

    std::unique_ptr<GsConversation> inner_;
    Key secret_{}, hash_{}, chaining_{};
    std::unique_ptr<NoiseCipher> sending_, receiving_;
    std::string plain_in_, plain_out_;
};

}  // namespace gs::bench
