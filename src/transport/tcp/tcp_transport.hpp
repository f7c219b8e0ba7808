#pragma once
// TCP. Loops given to it must be EpollLoops and outlive it; names are resolved on a thread of its own.
#include "transport/transport.hpp"

namespace gs::transport {

[[nodiscard]] std::unique_ptr<Transport> make_tcp_transport();

}  // namespace gs::transport
