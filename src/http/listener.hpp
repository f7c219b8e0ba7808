#pragma once
// The listening socket of the HTTP server. Loop: any thread. Errors: for the operator to read.
#include <cstdint>

#include "http/server.hpp"

namespace gs::http {

/// The socket is the caller's. Errors: invalid, conflict or forbidden: the address cannot be listened on, and why.
[[nodiscard]] Result<int> open_listener(const HttpServerOptions& options);
/// The one that was really taken when 0 was asked for.
[[nodiscard]] Result<std::uint16_t> port_of(int descriptor);

}  // namespace gs::http
