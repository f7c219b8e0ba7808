#include "transport/tcp/socket_address.hpp"

#include <netdb.h>

#include <cstring>
#include <memory>

namespace gs::transport {

namespace {

Result<std::vector<SocketAddress>> look_up(const HostPort& address, int flags) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* first = nullptr;
    const int failed = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &first);
    if (failed != 0) return Error{Code::unavailable, "{}", ::gai_strerror(failed)};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found{first, &::freeaddrinfo};
    std::vector<SocketAddress> results;
    for (const auto* one = found.get(); one != nullptr; one = one->ai_next) {
        auto& result = results.emplace_back();
        result.size = one->ai_addrlen;
        std::memcpy(&result.storage, one->ai_addr, one->ai_addrlen);
    }
    return results;
}

SocketAddress ask(int socket, int (*which)(int, sockaddr*, socklen_t*)) {
    SocketAddress result;
    result.size = sizeof(result.storage);
    if (which(socket, reinterpret_cast<sockaddr*>(&result.storage), &result.size) != 0) result.size = 0;
    return result;
}

}  // namespace

std::string SocketAddress::text() const {
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (size == 0 ||
        ::getnameinfo(get(), size, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return "unknown";
    }
    return family() == AF_INET6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<SocketAddress> parse_socket_address(const HostPort& address) {
    const auto found = look_up(address, AI_NUMERICHOST);
    if (!found) return found.error();
    return found->front();
}

Result<std::vector<SocketAddress>> resolve(const HostPort& address) { return look_up(address, AI_ADDRCONFIG); }

SocketAddress local_address(int socket) { return ask(socket, &::getsockname); }
SocketAddress remote_address(int socket) { return ask(socket, &::getpeername); }

}  // namespace gs::transport
