#pragma once
// Login tokens: a standard JWT signed with Ed25519, so that any language's JWT library can check one.
// The header is compared with the one text that each known key has and is never parsed: no other algorithm can be
// chosen. Errors: always unauthenticated; texts are for players and operators and never contain the token. Loop: any
// thread; add keys before sharing the verifier. Source: RFC 7519, RFC 8037.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto/signing.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace gs {

inline constexpr std::chrono::seconds token_lifetime_max = std::chrono::minutes{10};
inline constexpr std::chrono::seconds token_clock_skew_max{60};
inline constexpr std::size_t token_bytes_max = 2048;

struct TokenClaims {
    PlayerId player{};
    std::string account;  ///< UTF-8
    std::chrono::sys_seconds issued{};
    std::chrono::sys_seconds expires{};
    std::string zone;
};

[[nodiscard]] std::string sign_token(const SigningKey& key, const TokenClaims& claims);

/// The middle part of a token, decoded. Says nothing about who signed it.
Result<TokenClaims> parse_token_claims(std::string_view json);

class TokenVerifier {
public:
    explicit TokenVerifier(std::string zone) : zone_{std::move(zone)} {}

    /// Several keys may be valid at once, for the time of a key change.
    void add_key(const PublicKey& key);

    Result<TokenClaims> verify(std::string_view token, std::chrono::sys_seconds now) const;

private:
    struct Known {
        std::string header;
        PublicKey key;
    };

    std::string zone_;
    std::vector<Known> keys_;
};

}  // namespace gs
