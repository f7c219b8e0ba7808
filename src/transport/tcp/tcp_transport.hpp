#pragma once
// TCP over Asio's reactor. Loops given to it must be AsioLoops.
#include "transport/transport.hpp"

namespace gs::transport {

[[nodiscard]] std::unique_ptr<Transport> make_tcp_transport();

}  // namespace gs::transport
