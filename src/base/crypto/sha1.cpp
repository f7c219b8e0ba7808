// libsodium leaves SHA-1 out, for good reasons; WebSocket needs it for a value that protects nothing.
#include <openssl/evp.h>

#include "base/crypto/crypto.hpp"

namespace gs {

std::array<std::uint8_t, 20> sha1(BytesView bytes) {
    std::array<std::uint8_t, 20> hash{};
    if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha1(), nullptr) != 1)
        throw Error{Code::internal, "OpenSSL does not offer SHA-1"};
    return hash;
}

}  // namespace gs
