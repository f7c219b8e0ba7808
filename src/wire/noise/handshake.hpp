#pragma once
// A Noise handshake, sans I/O: the messages of one pattern are written and read in turn, then split() gives the ciphers.
// Source: The Noise Protocol Framework, revision 34. Owner: one side of one connection.
// Errors: invalid, in words; nothing can be done with the handshake afterwards. What was wrong is not for the other
// side. Keys are wiped at the end.
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "wire/noise/symmetric.hpp"

namespace gs::wire::noise {

enum class Pattern : std::uint8_t {
    nx,      ///< Noise_NX_25519_ChaChaPoly_SHA256: -> e   <- e, ee, s, es
    xxpsk3,  ///< Noise_XXpsk3_25519_ChaChaPoly_SHA256: -> e   <- e, ee, s, es   -> s, se, psk
};
enum class Side : std::uint8_t { initiator, responder };

/// The keys of a side. `ephemeral` is for tests only: without it a random one is made, which is good for one handshake.
struct HandshakeKeys {
    std::optional<ExchangeKey> own_static;
    std::optional<Secret> shared;  ///< the psk
    std::optional<ExchangeKey> ephemeral;
};

class Handshake {
public:
    /// The bytes of the prologue are no secret; both sides must have the same.
    Handshake(Pattern pattern, Side side, BytesView prologue, HandshakeKeys keys);

    [[nodiscard]] bool my_turn() const { return !finished() && (step_ % 2 == 0) == (side_ == Side::initiator); }
    [[nodiscard]] bool finished() const { return !failed_ && step_ == steps_; }
    /// Appends the next message. The payload is encrypted as well as the pattern can at that place.
    [[nodiscard]] Result<void> write(BytesView payload, Buffer& out);
    /// Returns the payload.
    [[nodiscard]] Result<Binary> read(BytesView message);

    /// Of the other side, once it has sent it.
    [[nodiscard]] const std::optional<ExchangePublicKey>& remote_static() const { return remote_static_; }
    /// The same on both sides, and of this handshake only. When finished.
    [[nodiscard]] const Hash& hash() const { return symmetric_.hash(); }
    /// When finished.
    [[nodiscard]] CipherPair split() const { return symmetric_.split(); }

private:
    enum class Token : std::uint8_t { e, s, ee, es, se, psk };
    [[nodiscard]] static std::vector<Token> message_of(Pattern pattern, std::size_t step);
    [[nodiscard]] Result<void> write_token(Token token, Buffer& out);
    [[nodiscard]] Result<void> read_token(Token token, BytesView& rest);
    [[nodiscard]] Result<void> mix_agreed(Token token);
    [[nodiscard]] Result<void> agree(const std::optional<ExchangeKey>& own,
                                     const std::optional<ExchangePublicKey>& remote);
    void mix_ephemeral(const ExchangePublicKey& key);
    [[nodiscard]] Error fail(std::string_view why);

    Pattern pattern_;
    Side side_;
    std::size_t step_ = 0, steps_;
    bool failed_ = false;
    HandshakeKeys keys_;
    std::optional<ExchangePublicKey> remote_ephemeral_, remote_static_;
    SymmetricState symmetric_;
};

}  // namespace gs::wire::noise
