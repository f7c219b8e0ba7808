#include "base/crypto/crypto.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace gs;

TEST_CASE("bytes become hex and come back", "[crypto]") {
    crypto_init().value();
    const Binary bytes{0x00, 0x7f, 0xff, 0x10};
    REQUIRE(hex_encode(bytes) == "007fff10");
    REQUIRE(hex_decode("007fff10").value() == bytes);
    REQUIRE(hex_decode("007FFF10").value() == bytes);
    REQUIRE(hex_encode({}).empty());
    REQUIRE(hex_decode("").value().empty());
    for (const auto* wrong : {"0", "0g", "00 ", "00:11", "zz"}) {
        CAPTURE(wrong);
        const auto decoded = hex_decode(wrong);
        REQUIRE_FALSE(decoded);
        REQUIRE(decoded.error().code() == Code::invalid);
    }
}

TEST_CASE("bytes become base64url and come back", "[crypto]") {
    for (const auto& [text, encoded] : std::initializer_list<std::pair<const char*, const char*>>{
             {"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"\xff\xfe\xfd", "__79"}}) {
        REQUIRE(base64url_encode(as_bytes(text)) == encoded);
        REQUIRE(as_text(base64url_decode(encoded).value()) == text);
    }
    // Padding, the other alphabet, spaces, a lone character and bits that encoding never sets.
    for (const auto* wrong : {"Zg==", "//79", "Zm9v\n", "Z", "Zh", "Zm9", "Zm 9v"}) {
        CAPTURE(wrong);
        REQUIRE_FALSE(base64url_decode(wrong));
    }
}

TEST_CASE("an HMAC is the one of RFC 4231", "[crypto]") {
    CHECK(hex_encode(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const Binary key(20, 0x0b);
    CHECK(hex_encode(hmac_sha256(key, as_bytes("Hi There"))) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const Binary longer(131, 0xaa);
    CHECK(hex_encode(hmac_sha256(longer, as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    CHECK(equal_secrets(key, Binary(20, 0x0b)));
    CHECK_FALSE(equal_secrets(key, Binary(21, 0x0b)));
    CHECK_FALSE(equal_secrets(key, Binary(20, 0x0c)));
}

TEST_CASE("random numbers differ", "[crypto]") {
    std::set<std::uint64_t> seen;
    for (int count = 0; count < 1000; ++count) seen.insert(random_u64());
    REQUIRE(seen.size() == 1000);

    std::array<std::uint8_t, 32> one{};
    std::array<std::uint8_t, 32> other{};
    fill_random(one);
    fill_random(other);
    REQUIRE(one != other);
}

TEST_CASE("BLAKE2b with 32 bytes matches the published value", "[crypto]") {
    REQUIRE(hex_encode(blake2b_256(as_bytes("abc"))) ==
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}
