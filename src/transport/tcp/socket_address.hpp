#pragma once
// An IP address with a port as the kernel takes it.
#include <sys/socket.h>

#include <vector>

#include "transport/transport.hpp"

namespace gs::transport {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    [[nodiscard]] int family() const { return storage.ss_family; }
    /// "127.0.0.1:7000", "[::1]:7000".
    [[nodiscard]] std::string text() const;
};

/// Of an address written in digits. Errors: it is not one.
[[nodiscard]] Result<SocketAddress> parse_socket_address(const HostPort& address);
/// Of a name, all of them, the best one first. Blocks. Errors: nobody knows it.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const HostPort& address);
[[nodiscard]] SocketAddress local_address(int socket);
/// Its size is 0 when the socket is not connected (any more).
[[nodiscard]] SocketAddress remote_address(int socket);

}  // namespace gs::transport
