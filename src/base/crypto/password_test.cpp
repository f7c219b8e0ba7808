#include "base/crypto/password.hpp"

#include <catch2/catch.hpp>

#include "base/crypto/crypto.hpp"

using namespace gs;

namespace {
constexpr PasswordCost cheap{.memory_kib = 64, .passes = 1};
}

TEST_CASE("a password matches its own hash only", "[crypto][password]") {
    crypto_init().value();
    const auto hash = hash_password("correct horse", cheap).value();
    REQUIRE(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    REQUIRE(verify_password(hash, "correct horse"));
    REQUIRE_FALSE(verify_password(hash, "correct horsf"));
    REQUIRE_FALSE(verify_password(hash, ""));
    REQUIRE(hash_password("correct horse", cheap).value() != hash);
}

TEST_CASE("the default cost of a password hash is 64 MiB and 2 passes", "[crypto][password]") {
    REQUIRE(hash_password("x").value().starts_with("$argon2id$v=19$m=65536,t=2,p=1$"));
}

TEST_CASE("the dummy hash costs the same and matches nothing", "[crypto][password]") {
    const auto dummy = dummy_hash(cheap);
    const auto real = hash_password("x", cheap).value();
    REQUIRE(dummy.size() == real.size());
    REQUIRE(dummy.substr(0, 28) == real.substr(0, 28));
    REQUIRE_FALSE(verify_password(dummy, ""));
    REQUIRE_FALSE(verify_password(dummy, "x"));
    REQUIRE(dummy_hash(cheap) != dummy);
}

TEST_CASE("a broken password hash matches nothing", "[crypto][password]") {
    for (const std::string& hash : {std::string{}, std::string{"plain"}, std::string{"$argon2id$v=19$m=64,t=1,p=1$"},
                                    std::string(127, '$'), std::string(128, 'a'), std::string(100'000, 'a')}) {
        REQUIRE_FALSE(verify_password(hash, "x"));
    }
}

TEST_CASE("unusable passwords and costs are refused with the reason", "[crypto][password]") {
    REQUIRE(hash_password("", cheap).error().code() == Code::invalid);
    REQUIRE(hash_password(std::string(password_bytes_max + 1, 'x'), cheap).error().message() ==
            "the password has 1025 bytes; at most 1024 are allowed");
    REQUIRE(hash_password("x", {.memory_kib = 1, .passes = 2}).error().code() == Code::invalid);
    REQUIRE(hash_password("x", {.memory_kib = 64, .passes = 0}).error().code() == Code::invalid);
    REQUIRE(hash_password(std::string(password_bytes_max, 'x'), cheap));
}
