#include "base/crypto/token.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/json_tree.hpp"

#include "base/crypto/crypto.hpp"

namespace gs {
namespace {

using Json = nlohmann::json;

constexpr std::string_view issuer = "gameserver";

std::string header_of(const std::string& key_id) {
    return base64url_encode(as_bytes(fmt::format(R"({{"alg":"EdDSA","typ":"JWT","kid":"{}"}})", key_id)));
}

Error malformed(std::string_view what) {
    return Error{Code::unauthenticated, "this is not a login token of this server ({}); log in again to get one", what};
}

std::optional<std::string> text_of(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    if (found == claims.end() || !found->is_string()) return {};
    return found->get<std::string>();
}

std::optional<std::chrono::sys_seconds> time_of(const Json& claims, const char* name) {
    constexpr std::int64_t seconds_max = 253'402'300'799;  // the end of the year 9999: sums with it cannot overflow
    const auto found = claims.find(name);
    if (found == claims.end() || !found->is_number_integer()) return {};
    const auto out_of_range = found->is_number_unsigned() ? found->get<std::uint64_t>() > std::uint64_t{seconds_max}
                                                          : found->get<std::int64_t>() < 0;
    if (out_of_range) return {};
    return std::chrono::sys_seconds{std::chrono::seconds{found->get<std::int64_t>()}};
}

std::optional<PlayerId> player_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number == 0 || text.starts_with('0')) return {};
    return PlayerId{number};
}

struct Parts {
    std::string_view header;
    std::string_view claims;
    std::string_view signature;
    std::string_view signed_text;
};

std::optional<Parts> split(std::string_view token) {
    const auto first = token.find('.');
    if (first == std::string_view::npos) return {};
    const auto second = token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return {};
    Parts parts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
                token.substr(0, second)};
    if (parts.header.empty() || parts.claims.empty() || parts.signature.empty()) return {};
    return parts;
}

Result<void> check_times(const TokenClaims& claims, std::chrono::sys_seconds now) {
    const auto lifetime = claims.expires - claims.issued;
    if (lifetime > token_lifetime_max) {
        return Error{Code::unauthenticated, "the login token is made to last {} s; at most {} s are accepted",
                     lifetime.count(), token_lifetime_max.count()};
    }
    if (claims.issued > now + token_clock_skew_max) {
        return Error{
            Code::unauthenticated,
            "the login token is not valid yet: it was issued {} s in the future (do the servers' clocks agree?)",
            (claims.issued - now).count()};
    }
    if (now >= claims.expires) {
        return Error{Code::unauthenticated, "the login token expired {} s ago; log in again",
                     (now - claims.expires).count()};
    }
    return {};
}

}  // namespace

std::string sign_token(const SigningKey& key, const TokenClaims& claims) {
    const Json json{{"iss", issuer},
                    {"sub", fmt::format("{}", claims.player)},
                    {"aud", claims.zone},
                    {"acc", claims.account},
                    {"iat", claims.issued.time_since_epoch().count()},
                    {"exp", claims.expires.time_since_epoch().count()}};
    const auto payload = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    auto token = header_of(key.id()) + '.' + base64url_encode(as_bytes(payload));
    const auto signature = key.sign(as_bytes(token));
    return token + '.' + base64url_encode(signature);
}

Result<TokenClaims> parse_token_claims(std::string_view json) {
    const auto parsed = parse_json_or_discard(json);
    if (!parsed.is_object()) return malformed("its claims are not a JSON object");
    if (text_of(parsed, "iss") != issuer) return malformed("its issuer is not \"gameserver\"");
    const auto player = player_of(text_of(parsed, "sub").value_or(""));
    if (!player) return malformed("it names no player: \"sub\" is not a number above 0 in text");
    auto account = text_of(parsed, "acc");
    if (!account) return malformed("it names no account");
    auto zone = text_of(parsed, "aud");
    if (!zone) return malformed("it names no zone");
    const auto issued = time_of(parsed, "iat");
    const auto expires = time_of(parsed, "exp");
    if (!issued || !expires || *expires <= *issued) return malformed("its times make no sense");
    return TokenClaims{*player, std::move(*account), *issued, *expires, std::move(*zone)};
}

void TokenVerifier::add_key(const PublicKey& key) { keys_.push_back({header_of(key.id()), key}); }

Result<TokenClaims> TokenVerifier::verify(std::string_view token, std::chrono::sys_seconds now) const {
    if (token.size() > token_bytes_max) return malformed("it is too long");
    const auto parts = split(token);
    if (!parts) return malformed("it does not have three parts");

    const auto known = std::find_if(keys_.begin(), keys_.end(),
                                    [&](const Known& candidate) { return candidate.header == parts->header; });
    if (known == keys_.end()) {
        return Error{
            Code::unauthenticated,
            "the login token was not signed by a key that this server knows; log in again, and see that the server has "
            "the public key of the login role"};
    }
    const auto signature = base64url_decode(parts->signature);
    Signature fixed{};
    if (!signature || signature->size() != fixed.size()) return malformed("its signature has the wrong form");
    std::copy(signature->begin(), signature->end(), fixed.begin());
    if (!known->key.verify(as_bytes(parts->signed_text), fixed)) {
        return Error{Code::unauthenticated,
                     "the login token is forged or damaged: its signature is wrong; log in again"};
    }

    const auto payload = base64url_decode(parts->claims);
    if (!payload) return malformed("its claims are not base64url");
    auto claims = parse_token_claims(as_text(*payload));
    if (!claims) return claims;
    if (claims->zone != zone_) {
        return Error{Code::unauthenticated, "the login token is for another zone than \"{}\"; log in to this zone",
                     zone_};
    }
    const auto times = check_times(*claims, now);
    if (!times) return times.error();
    return claims;
}

}  // namespace gs
