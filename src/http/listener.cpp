#include "http/listener.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace gs::http {

namespace {

constexpr int listen_backlog = 4096;

Error listen_error(const HttpServerOptions& options, int number) {
    const auto reason = std::generic_category().message(number);
    switch (number) {
        case EADDRINUSE:
            return Error{Code::conflict,
                         "http: port {} of {} is in use by another process; stop that one or set another port",
                         options.port, options.address};
        case EADDRNOTAVAIL:
            return Error{
                Code::invalid,
                "http: cannot listen on {} port {}: this machine does not have that address; use one of its own, or "
                "127.0.0.1 (this machine only), or 0.0.0.0 (all)",
                options.address, options.port};
        case EACCES:
            return Error{Code::forbidden,
                         "http: cannot listen on {} port {}: {}; use a port above 1023 or grant CAP_NET_BIND_SERVICE",
                         options.address, options.port, reason};
        default:
            return Error{Code::internal, "http: cannot listen on {} port {}: {}", options.address, options.port,
                         reason};
    }
}

}  // namespace

Result<int> open_listener(const HttpServerOptions& options) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(options.address.c_str(), std::to_string(options.port).c_str(), &hints, &found) != 0) {
        return Error{
            Code::invalid,
            "http: cannot listen on \"{}\" port {}: this is not an IP address; use for example 127.0.0.1 or 0.0.0.0",
            options.address, options.port};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address{found, &::freeaddrinfo};
    const int descriptor = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return listen_error(options, errno);
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(descriptor, address->ai_addr, address->ai_addrlen) != 0 || ::listen(descriptor, listen_backlog) != 0) {
        const auto number = errno;
        ::close(descriptor);
        return listen_error(options, number);
    }
    return descriptor;
}

Result<std::uint16_t> port_of(int descriptor) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return Error{Code::internal, "http: cannot read the port: {}", std::generic_category().message(errno)};
    }
    return address.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port)
                                         : ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

}  // namespace gs::http
