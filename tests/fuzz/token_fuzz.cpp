// Login tokens: only what the known key signed is accepted, whatever the bytes are.
#include <array>
#include <optional>
#include <string>

#include "base/crypto/crypto.hpp"
#include "base/crypto/token.hpp"
#include "tests/fuzz/require.hpp"

using namespace gs;
using fuzz::require;

namespace {

constexpr std::chrono::sys_seconds now{std::chrono::seconds{1'800'000'000}};

struct Fixture {
    Fixture() {
        crypto_init().value();
        std::array<std::uint8_t, 32> seed{};
        seed.fill(7);
        key = SigningKey::from_seed(seed);
        verifier.add_key(key->public_key());
        const auto token = sign_token(*key, {PlayerId{1}, "a", now, now + std::chrono::seconds{60}, "alpha"});
        header = token.substr(0, token.find('.'));
    }
    std::optional<SigningKey> key;
    TokenVerifier verifier{"alpha"};
    std::string header;
};

void check_claims(const TokenClaims& claims) {
    require(claims.player != PlayerId{}, "claims name a player");
    require(claims.expires > claims.issued, "claims expire after they are issued");
    require(is_utf8(claims.account) && is_utf8(claims.zone), "claims hold UTF-8");
}

bool same(const TokenClaims& left, const TokenClaims& right) {
    return left.player == right.player && left.account == right.account && left.issued == right.issued &&
           left.expires == right.expires && left.zone == right.zone;
}

/// Ed25519 signs a text in one way only, and base64url writes it in one way: any other token is a forged one.
void check_token(const Fixture& fixture, const std::string& token) {
    const auto claims = fixture.verifier.verify(token, now);
    if (!claims) {
        require(claims.error().code() == Code::unauthenticated, "a refused token has one code");
        fuzz::require_printable(claims.error().message());
        return;
    }
    const auto signed_text = token.substr(0, token.rfind('.'));
    require(token.starts_with(fixture.header + "."), "an accepted token has the header of the key");
    require(token == signed_text + "." + base64url_encode(fixture.key->sign(as_bytes(signed_text))),
            "an accepted token is signed");
    check_claims(*claims);
    require(claims->zone == "alpha", "an accepted token is for this zone");
    require(claims->expires > now && claims->issued <= now + token_clock_skew_max, "an accepted token is valid now");
    require(claims->expires - claims->issued <= token_lifetime_max, "an accepted token is short-lived");
}

void check_signed_claims(const Fixture& fixture, std::string_view json) {
    const auto text = fixture.header + "." + base64url_encode(as_bytes(json));
    const auto token = text + "." + base64url_encode(fixture.key->sign(as_bytes(text)));
    check_token(fixture, token);
    const auto accepted = fixture.verifier.verify(token, now);
    const auto claims = parse_token_claims(json);
    require(claims.has_value() || !accepted.has_value(), "no token without claims is accepted");
    if (!claims) return;
    check_claims(*claims);
    require(!accepted || same(*accepted, *claims), "verifying gives the claims of the token");
    const auto again = fixture.verifier.verify(sign_token(*fixture.key, *claims), now);
    require(!accepted || (again && same(*again, *claims)), "claims can be signed again");

    if (!accepted || json.empty()) return;
    auto damaged = token;
    const auto at = static_cast<std::uint8_t>(json.back()) * damaged.size() / 256;
    damaged[at] = static_cast<char>(damaged[at] ^ (1U << (json.size() % 8)));
    require(!fixture.verifier.verify(damaged, now), "a token with one wrong bit is refused", damaged);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Fixture fixture;
    const auto text = as_text({data, size});
    check_token(fixture, std::string{text});
    check_signed_claims(fixture, text);
    const auto decoded = base64url_decode(text);
    require(!decoded || base64url_encode(*decoded) == text, "base64url has one form only");
    const auto bytes = hex_decode(text);
    require(!bytes || hex_encode(*bytes).size() == size, "hexadecimal has two characters for a byte");
    return 0;
}
