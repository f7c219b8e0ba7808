#pragma once
// Where a gateway listens, as the login role tells it.
#include <cstdint>
#include <string>

namespace gs::client {

struct Gateway {
    std::string name;
    std::string host;
    std::uint16_t port = 0;
    double load = 0;  ///< 0 idle, 1 full
};

}  // namespace gs::client
