#pragma once
// TCP. Loops given to it must be EpollLoops; names are resolved by the pool, which must end before the loops.
#include "runtime/pool.hpp"
#include "transport/transport.hpp"

namespace gs::transport {

[[nodiscard]] std::unique_ptr<Transport> make_tcp_transport(runtime::BlockingPool& pool);

}  // namespace gs::transport
