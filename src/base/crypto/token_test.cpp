#include "base/crypto/token.hpp"

#include <catch2/catch.hpp>

#include "base/crypto/crypto.hpp"

using namespace gs;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::sys_seconds now{1'800'000'000s};

SigningKey test_key() {
    std::array<std::uint8_t, 32> seed{};
    seed.fill(7);
    return SigningKey::from_seed(seed);
}

TokenVerifier verifier(const std::string& zone = "alpha") {
    TokenVerifier result{zone};
    result.add_key(test_key().public_key());
    return result;
}

TokenClaims claims() { return {PlayerId{18'000'000'000'000'000'001ULL}, "zoë", now - 10s, now + 290s, "alpha"}; }

/// A token with any header and payload whose signature is right.
std::string sign_parts(std::string_view header, std::string_view payload) {
    auto text = base64url_encode(as_bytes(header)) + '.' + base64url_encode(as_bytes(payload));
    return text + '.' + base64url_encode(test_key().sign(as_bytes(text)));
}

std::string right_header() { return R"({"alg":"EdDSA","typ":"JWT","kid":")" + test_key().id() + "\"}"; }

void require_refused(const std::string& token, const std::string& reason) {
    const auto result = verifier().verify(token, now);
    CAPTURE(token.substr(0, 200), reason);
    REQUIRE_FALSE(result);
    REQUIRE(result.error().code() == Code::unauthenticated);
    REQUIRE_THAT(result.error().message(), Catch::Contains(reason));
    if (token.size() > 20) REQUIRE_THAT(result.error().message(), !Catch::Contains(token.substr(0, 20)));
}

std::string signed_payload(std::string_view payload) { return sign_parts(right_header(), payload); }

}  // namespace

TEST_CASE("a signed token gives its claims back", "[crypto][token][ACC-01]") {
    crypto_init().value();
    const auto token = sign_token(test_key(), claims());
    REQUIRE(token.size() < 400);
    REQUIRE(token.starts_with(base64url_encode(as_bytes(right_header())) + "."));
    const auto result = verifier().verify(token, now).value();
    REQUIRE(result.player == claims().player);
    REQUIRE(result.account == "zoë");
    REQUIRE(result.issued == now - 10s);
    REQUIRE(result.expires == now + 290s);
    REQUIRE(result.zone == "alpha");
}

TEST_CASE("two keys are accepted while one replaces the other", "[crypto][token]") {
    const auto next = SigningKey::generate();
    auto both = verifier();
    both.add_key(next.public_key());
    REQUIRE(both.verify(sign_token(next, claims()), now));
    REQUIRE(both.verify(sign_token(test_key(), claims()), now));
    require_refused(sign_token(next, claims()), "not signed by a key that this server knows");
    REQUIRE_FALSE(TokenVerifier{"alpha"}.verify(sign_token(test_key(), claims()), now));
}

TEST_CASE("a flipped bit anywhere in a token is refused", "[crypto][token]") {
    const auto token = sign_token(test_key(), claims());
    const auto check = verifier();
    for (std::size_t index = 0; index < token.size(); ++index) {
        for (int bit = 0; bit < 8; ++bit) {
            auto flipped = token;
            flipped[index] = static_cast<char>(flipped[index] ^ (1 << bit));
            const auto result = check.verify(flipped, now);
            CAPTURE(index, bit);
            REQUIRE_FALSE(result);
            REQUIRE(result.error().code() == Code::unauthenticated);
        }
    }
}

TEST_CASE("no header but the exact one is accepted", "[crypto][token]") {
    const auto token = sign_token(test_key(), claims());
    const auto start = token.find('.') + 1;
    const auto payload = base64url_decode(token.substr(start, token.rfind('.') - start)).value();
    const std::string kept{as_text(payload)};
    REQUIRE(verifier().verify(sign_parts(right_header(), kept), now));
    const auto id = test_key().id();
    for (const auto& header :
         {std::string{R"({"alg":"none"})"}, fmt::format(R"({{"alg":"none","typ":"JWT","kid":"{}"}})", id),
          fmt::format(R"({{"alg":"HS256","typ":"JWT","kid":"{}"}})", id),
          fmt::format(R"({{"alg":"ES256","typ":"JWT","kid":"{}"}})", id),
          fmt::format(R"({{"typ":"JWT","alg":"EdDSA","kid":"{}"}})", id),
          fmt::format(R"({{"alg":"EdDSA", "typ":"JWT","kid":"{}"}})", id),
          std::string{R"({"alg":"EdDSA","typ":"JWT","kid":""})"}, std::string{R"({"alg":"EdDSA"})"},
          std::string{"x"}}) {
        require_refused(sign_parts(header, kept), "not signed by a key that this server knows");
    }
    // The classic attack: no algorithm and no signature.
    require_refused(base64url_encode(as_bytes(R"({"alg":"none"})")) + "." + base64url_encode(as_bytes(kept)) + ".",
                    "three parts");
}

TEST_CASE("a token is refused outside its time", "[crypto][token]") {
    const auto check = verifier();
    const auto token = sign_token(test_key(), claims());
    REQUIRE(check.verify(token, now + 289s));
    const auto expired = check.verify(token, now + 290s + 83s);
    REQUIRE(expired.error().code() == Code::unauthenticated);
    REQUIRE(expired.error().message() == "the login token expired 83 s ago; log in again");
    REQUIRE_FALSE(check.verify(token, now + 290s));

    REQUIRE(check.verify(token, now - 10s - 60s));
    REQUIRE_THAT(check.verify(token, now - 10s - 61s).error().message(), Catch::Contains("issued 61 s in the future"));

    auto lasting = claims();
    lasting.expires = lasting.issued + 600s;
    REQUIRE(check.verify(sign_token(test_key(), lasting), now));
    lasting.expires += 1s;
    require_refused(sign_token(test_key(), lasting), "made to last 601 s; at most 600 s");
}

TEST_CASE("a token of another zone is refused", "[crypto][token]") {
    const auto result = verifier("beta").verify(sign_token(test_key(), claims()), now);
    REQUIRE(result.error().message() == "the login token is for another zone than \"beta\"; log in to this zone");
}

TEST_CASE("well signed claims that make no sense are refused", "[crypto][token]") {
    const std::string good =
        R"({"iss":"gameserver","sub":"5","aud":"alpha","acc":"a","iat":1800000000,"exp":1800000300})";
    REQUIRE(verifier().verify(signed_payload(good), now));
    const auto with = [&](std::string_view from, std::string_view to) {
        auto text = good;
        text.replace(text.find(from), from.size(), to);
        return signed_payload(text);
    };
    for (const auto* sub :
         {"5", "\"\"", "\"0\"", "\"05\"", "\"-5\"", "\"5 \"", "\"5.0\"", "\"18446744073709551616\"", "null", "[]"}) {
        require_refused(with("\"5\"", sub), "names no player");
    }
    require_refused(with("gameserver", "other"), "issuer");
    require_refused(with("\"acc\"", "\"abc\""), "no account");
    require_refused(with("\"alpha\"", "[\"alpha\"]"), "no zone");
    for (const auto* time :
         {"-1", "1.5", "1e300", "\"1800000000\"", "18446744073709551615", "9223372036854775807", "null"}) {
        require_refused(with("1800000000", time), "times make no sense");
        require_refused(with("1800000300", time), "times make no sense");
    }
    require_refused(with("1800000300", "1800000000"), "times make no sense");
    for (const auto& text :
         {std::string{"x"}, std::string{"[]"}, std::string{"5"}, std::string{"{\"acc\":\"\xff\"}"}, good + "x",
          good.substr(0, good.size() - 1), std::string(1000, '['), std::string("\0", 1)}) {
        require_refused(signed_payload(text), "not a JSON object");
    }
}

TEST_CASE("text that is no token is refused", "[crypto][token]") {
    const auto token = sign_token(test_key(), claims());
    for (const auto& text : {std::string{}, std::string{"."}, std::string{".."}, std::string{"..."}, std::string{"a.b"},
                             std::string{"a..c"}, std::string{".b.c"}, token.substr(0, token.rfind('.')),
                             token.substr(0, token.rfind('.') + 1), token + ".", token + ".x"}) {
        require_refused(text, "three parts");
    }
    for (const auto& text : {token + "=", token + "A", token + " ", token + "\n", token + std::string(1, '\0'),
                             token.substr(0, token.size() - 1)}) {
        require_refused(text, "its signature has the wrong form");
    }
    for (const auto& text : {" " + token, "Bearer " + token, "\xef\xbb\xbf" + token, std::string{"é.ü.漢"}}) {
        require_refused(text, "not signed by a key");
    }
    require_refused(std::string(2049, 'a'), "too long");
    require_refused(token + std::string(10'000'000, 'A'), "too long");
    require_refused(std::string(2048, '.'), "three parts");
}

TEST_CASE("an account name that is not UTF-8 still gives a valid token", "[crypto][token]") {
    auto odd = claims();
    odd.account = "a\xff\"\\";
    REQUIRE(verifier().verify(sign_token(test_key(), odd), now).value().account == "a\xef\xbf\xbd\"\\");
}
