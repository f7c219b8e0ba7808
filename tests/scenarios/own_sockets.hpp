#pragma once
// The sockets of this process, to look at what was set on them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>

namespace gs::scenarios {

inline int socket_option(int socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, level, name, &value, &size) == 0 ? value : -1;
}

/// The descriptor of the TCP socket with that local port which listens, or does not. Empty: there is none.
inline std::optional<int> find_own_socket(std::uint16_t port, bool listens) {
    constexpr int descriptors = 1024;
    for (int socket = 0; socket < descriptors; ++socket) {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
        if (address.sin_family != AF_INET || ntohs(address.sin_port) != port) continue;
        if ((socket_option(socket, SOL_SOCKET, SO_ACCEPTCONN) == 1) == listens) return socket;
    }
    return {};
}

/// How many connections may wait to be accepted.
inline unsigned backlog_of(int listening_socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(listening_socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_sacked : 0;
}

}  // namespace gs::scenarios
