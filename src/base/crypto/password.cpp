#include "base/crypto/password.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/crypto/crypto.hpp"

namespace gs {
namespace {

constexpr std::uint32_t memory_kib_min = crypto_pwhash_MEMLIMIT_MIN / 1024;
constexpr std::uint32_t memory_kib_max = 4U * 1024 * 1024;
constexpr std::uint32_t passes_max = 64;

template <std::size_t Size>
std::string random_base64() {
    std::array<std::uint8_t, Size> bytes{};
    fill_random(bytes);
    constexpr auto variant = sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
    std::array<char, sodium_base64_ENCODED_LEN(Size, variant)> text{};
    return sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
}

}  // namespace

Result<std::string> hash_password(std::string_view password, PasswordCost cost) {
    if (password.empty()) return Error{Code::invalid, "the password is empty"};
    if (password.size() > password_bytes_max) {
        return Error{Code::invalid, "the password has {} bytes; at most {} are allowed", password.size(),
                     password_bytes_max};
    }
    if (cost.memory_kib < memory_kib_min || cost.memory_kib > memory_kib_max) {
        return Error{Code::invalid, "password cost: {} KiB of memory is out of range; use {} to {} (65536 is usual)",
                     cost.memory_kib, memory_kib_min, memory_kib_max};
    }
    if (cost.passes < 1 || cost.passes > passes_max) {
        return Error{Code::invalid, "password cost: {} passes are out of range; use 1 to {} (2 is usual)", cost.passes,
                     passes_max};
    }
    std::array<char, crypto_pwhash_STRBYTES> hash{};
    const auto status = crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), cost.passes,
                                              std::size_t{cost.memory_kib} * 1024, crypto_pwhash_ALG_ARGON2ID13);
    if (status != 0)
        return Error{Code::busy, "no {} KiB of memory are free to hash a password; try again", cost.memory_kib};
    return std::string{hash.data()};
}

bool verify_password(std::string_view hash, std::string_view password) {
    if (password.size() > password_bytes_max || hash.size() >= crypto_pwhash_STRBYTES) return false;
    std::array<char, crypto_pwhash_STRBYTES> text{};  // the library wants the zeros after it
    std::copy(hash.begin(), hash.end(), text.begin());
    return crypto_pwhash_str_verify(text.data(), password.data(), password.size()) == 0;
}

std::string dummy_hash(PasswordCost cost) {
    // Random salt and random result: checking a password against it takes the full time and fails.
    return fmt::format("$argon2id$v=19$m={},t={},p=1${}${}", cost.memory_kib, cost.passes, random_base64<16>(),
                       random_base64<32>());
}

}  // namespace gs
