#include "base/crypto/crypto.hpp"

#include <sodium.h>

#include <algorithm>

namespace gs {

Result<void> crypto_init() {
    if (sodium_init() < 0) {
        return Error{Code::internal,
                     "libsodium did not start: no source of random numbers (is /dev/urandom readable?)"};
    }
    return {};
}

void fill_random(std::span<std::uint8_t> bytes) {
    if (!bytes.empty()) randombytes_buf(bytes.data(), bytes.size());
}

std::uint64_t random_u64() {
    std::uint64_t number = 0;
    randombytes_buf(&number, sizeof number);
    return number;
}

std::array<std::uint8_t, 32> blake2b_256(BytesView bytes) {
    std::array<std::uint8_t, 32> hash{};
    crypto_generichash(hash.data(), hash.size(), bytes.data(), bytes.size(), nullptr, 0);
    return hash;
}

std::array<std::uint8_t, 32> hmac_sha256(BytesView key, BytesView bytes) {
    std::array<std::uint8_t, 32> tag{};
    crypto_auth_hmacsha256_state state;
    static constexpr std::uint8_t nothing = 0;  // libsodium wants an address for an empty key, too
    crypto_auth_hmacsha256_init(&state, key.empty() ? &nothing : key.data(), key.size());
    crypto_auth_hmacsha256_update(&state, bytes.data(), bytes.size());
    crypto_auth_hmacsha256_final(&state, tag.data());
    return tag;
}

bool equal_secrets(BytesView one, BytesView other) {
    return one.size() == other.size() && sodium_memcmp(one.data(), other.data(), one.size()) == 0;
}

std::string hex_encode(BytesView bytes) {
    std::string text(bytes.size() * 2 + 1, '\0');  // libsodium ends the text with a zero
    sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
    text.pop_back();
    return text;
}

Result<Binary> hex_decode(std::string_view text) {
    Binary bytes(text.size() / 2 + 1);  // never without memory, for which the library must not be asked
    std::size_t size = 0;
    const char* end = nullptr;
    const auto status = sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, &end);
    if (status != 0 || end != text.data() + text.size()) {
        return Error{Code::invalid, "this is not hexadecimal: an even number of the characters 0-9 and a-f is needed"};
    }
    bytes.resize(size);
    return bytes;
}

std::string base64url_encode(BytesView bytes) {
    constexpr auto variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
    text.pop_back();
    return text;
}

namespace {

Result<Binary> decode_base64(std::string_view text, int variant, const char* wrong) {
    Binary bytes(text.size() / 4 * 3 + 3);
    std::size_t size = 0;
    const char* end = nullptr;
    const auto status =
        sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, &end, variant);
    // libsodium takes every byte above 127 for the last letter, which would give a token many forms.
    const auto is_ascii = [](char letter) { return static_cast<std::uint8_t>(letter) < 0x80; };
    if (status != 0 || end != text.data() + text.size() || !std::all_of(text.begin(), text.end(), is_ascii)) {
        return Error{Code::invalid, "{}", wrong};
    }
    bytes.resize(size);
    return bytes;
}

}  // namespace

Result<Binary> base64url_decode(std::string_view text) {
    return decode_base64(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING,
                         "this is not base64url: only A-Z a-z 0-9 - _ without padding are allowed");
}

std::string base64_encode(BytesView bytes) {
    std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    text.pop_back();
    return text;
}

Result<Binary> base64_decode(std::string_view text) {
    return decode_base64(text, sodium_base64_VARIANT_ORIGINAL,
                         "this is not base64: only A-Z a-z 0-9 + / with = at the end are allowed");
}

}  // namespace gs
