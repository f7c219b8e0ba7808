#pragma once
// The inner objects of the Noise protocol framework, revision 34, sections 4 and 5, for 25519, ChaChaPoly and SHA256,
// sans I/O: a cipher with its counter, and the state that both sides of a handshake hash and mix keys into.
// Errors: false where bytes are not what the other side made of them, or the counter is used up; the object is then of
// no more use. Keys are wiped at the end.
#include "base/bytes.hpp"
#include "base/crypto/exchange.hpp"

namespace gs::wire::noise {

inline constexpr std::size_t tag_bytes = 16;
inline constexpr std::size_t message_bytes_max = 65'535;

using Hash = std::array<std::uint8_t, 32>;

class CipherState {
public:
    CipherState() = default;
    explicit CipherState(const Secret& key) : key_{key}, has_key_{true} {}

    [[nodiscard]] bool has_key() const { return has_key_; }
    /// How many messages it has encrypted or decrypted; the number of the next one.
    [[nodiscard]] std::uint64_t nonce() const { return nonce_; }
    void set_nonce(std::uint64_t nonce) { nonce_ = nonce; }
    /// Appends the ciphertext, which is tag_bytes longer; without a key, the plaintext. `plain` is not in `out`.
    [[nodiscard]] bool encrypt(BytesView associated, BytesView plain, Buffer& out);
    /// Appends the plaintext; nothing when it fails. `cipher` is not in `out`.
    [[nodiscard]] bool decrypt(BytesView associated, BytesView cipher, Buffer& out);
    void rekey();

private:
    Secret key_;
    std::uint64_t nonce_ = 0;
    bool has_key_ = false;
};

/// What the two sides of a finished handshake encrypt with: the initiator's messages and the responder's.
struct CipherPair {
    CipherState of_initiator, of_responder;
};

class SymmetricState {
public:
    explicit SymmetricState(std::string_view protocol_name);

    void mix_key(const Secret& input);
    void mix_hash(BytesView bytes);
    void mix_key_and_hash(const Secret& input);
    [[nodiscard]] bool encrypt_and_hash(BytesView plain, Buffer& out);
    [[nodiscard]] bool decrypt_and_hash(BytesView cipher, Buffer& out);
    [[nodiscard]] CipherPair split() const;
    [[nodiscard]] bool has_key() const { return cipher_.has_key(); }
    [[nodiscard]] const Hash& hash() const { return hash_; }

private:
    Secret chaining_key_;
    Hash hash_{};
    CipherState cipher_;
};

}  // namespace gs::wire::noise
