#pragma once
// The PROXY protocol, which a balancer in front of a gateway says before anything else, so that the gateway knows the
// client's address. Sans I/O. Source: haproxy.org, "The PROXY protocol", versions 1 (a line) and 2 (binary).
#include <string>

#include "base/bytes.hpp"

namespace gs::wire {

struct ProxyHeader {
    std::size_t consumed = 0;  ///< 0: it is not whole yet
    std::string address;       ///< of the client, in digits; empty: the balancer speaks for itself (its health check)
    const char* fault = nullptr;  ///< why it is none
};

[[nodiscard]] ProxyHeader read_proxy_header(BytesView bytes);

}  // namespace gs::wire
