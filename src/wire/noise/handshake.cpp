#include "wire/noise/handshake.hpp"

#include <algorithm>

namespace gs::wire::noise {

namespace {

std::string_view name_of(Pattern pattern) {
    return pattern == Pattern::nx ? "Noise_NX_25519_ChaChaPoly_SHA256" : "Noise_XXpsk3_25519_ChaChaPoly_SHA256";
}

constexpr std::size_t key_bytes = std::tuple_size_v<ExchangePublicKey>;

ExchangePublicKey public_key_from(BytesView bytes) {
    ExchangePublicKey key{};
    std::copy_n(bytes.begin(), key.size(), key.begin());
    return key;
}

}  // namespace

std::vector<Handshake::Token> Handshake::message_of(Pattern pattern, std::size_t step) {
    switch (step) {
        case 0:
            return {Token::e};
        case 1:
            return {Token::e, Token::ee, Token::s, Token::es};
        default:
            return pattern == Pattern::nx ? std::vector<Token>{} : std::vector{Token::s, Token::se, Token::psk};
    }
}

Handshake::Handshake(Pattern pattern, Side side, BytesView prologue, HandshakeKeys keys)
    : pattern_{pattern},
      side_{side},
      steps_{pattern == Pattern::nx ? 2U : 3U},
      keys_{std::move(keys)},
      symmetric_{name_of(pattern)} {
    if (!keys_.ephemeral) keys_.ephemeral = ExchangeKey::generate();
    symmetric_.mix_hash(prologue);
}

Error Handshake::fail(std::string_view why) {
    failed_ = true;
    return {Code::invalid, "the handshake failed: {}", why};
}

Result<void> Handshake::write(BytesView payload, Buffer& out) {
    if (failed_ || !my_turn()) return fail("it is not this side's turn");
    const auto begin = out.size();
    for (const auto token : message_of(pattern_, step_)) {
        auto done = write_token(token, out);
        if (!done) return done;
    }
    if (!symmetric_.encrypt_and_hash(payload, out)) return fail("the payload cannot be encrypted");
    if (out.size() - begin > message_bytes_max) return fail("the payload is too long");
    ++step_;
    return {};
}

Result<void> Handshake::write_token(Token token, Buffer& out) {
    switch (token) {
        case Token::e:
            out.append(keys_.ephemeral->public_key());
            mix_ephemeral(keys_.ephemeral->public_key());
            return {};
        case Token::s:
            if (!keys_.own_static) return fail("this side has no static key");
            if (!symmetric_.encrypt_and_hash(keys_.own_static->public_key(), out)) {
                return fail("the static key cannot be encrypted");
            }
            return {};
        default:
            return mix_agreed(token);
    }
}

Result<Binary> Handshake::read(BytesView message) {
    if (failed_ || finished() || my_turn()) return fail("a message came that is not due");
    if (message.size() > message_bytes_max) return fail("the message is too long");
    for (const auto token : message_of(pattern_, step_)) {
        const auto done = read_token(token, message);
        if (!done) return done.error();
    }
    Buffer payload;
    if (!symmetric_.decrypt_and_hash(message, payload)) return fail("the message is not what the other side sent");
    ++step_;
    return Binary{payload.view().begin(), payload.view().end()};
}

Result<void> Handshake::read_token(Token token, BytesView& rest) {
    switch (token) {
        case Token::e:
            if (rest.size() < key_bytes) return fail("the message is too short");
            remote_ephemeral_ = public_key_from(rest);
            mix_ephemeral(*remote_ephemeral_);
            rest = rest.subspan(key_bytes);
            return {};
        case Token::s: {
            if (rest.size() < key_bytes + tag_bytes) return fail("the message is too short");
            Buffer key;
            if (!symmetric_.decrypt_and_hash(rest.first(key_bytes + tag_bytes), key)) {
                return fail("the message is not what the other side sent");
            }
            remote_static_ = public_key_from(key);
            rest = rest.subspan(key_bytes + tag_bytes);
            return {};
        }
        default:
            return mix_agreed(token);
    }
}

/// With a psk in the pattern, what is hashed must be mixed into the key too (section 9.2).
void Handshake::mix_ephemeral(const ExchangePublicKey& key) {
    symmetric_.mix_hash(key);
    if (pattern_ == Pattern::xxpsk3) symmetric_.mix_key(Secret{key});
}

Result<void> Handshake::mix_agreed(Token token) {
    const bool initiates = side_ == Side::initiator;
    switch (token) {
        case Token::ee:
            return agree(keys_.ephemeral, remote_ephemeral_);
        case Token::es:  // the initiator's ephemeral key with the responder's static one
            return initiates ? agree(keys_.ephemeral, remote_static_) : agree(keys_.own_static, remote_ephemeral_);
        case Token::se:
            return initiates ? agree(keys_.own_static, remote_ephemeral_) : agree(keys_.ephemeral, remote_static_);
        case Token::psk:
            if (!keys_.shared) return fail("this side has no shared key");
            symmetric_.mix_key_and_hash(*keys_.shared);
            return {};
        default:
            return fail("the pattern is wrong");
    }
}

Result<void> Handshake::agree(const std::optional<ExchangeKey>& own, const std::optional<ExchangePublicKey>& remote) {
    if (!own || !remote) return fail("a key is missing");
    const auto agreed = own->agree(*remote);
    if (!agreed) return fail(agreed.error().message());
    symmetric_.mix_key(*agreed);
    return {};
}

}  // namespace gs::wire::noise
