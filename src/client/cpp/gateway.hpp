#pragma once
// Where a gateway listens, as the login role tells it.
#include <cstdint>
#include <string>
#include <vector>

#include "base/crypto/signing.hpp"

namespace gs::client {

struct Gateway {
    std::string name;
    std::string host;
    std::uint16_t port = 0;
    double load = 0;                 ///< 0 idle, 1 full
    std::vector<PublicKey> roots{};  ///< of the zone; with them the connection is encrypted, and nothing less is taken
};

}  // namespace gs::client
