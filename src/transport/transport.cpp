#include "transport/transport.hpp"

#include <charconv>

namespace gs::transport {

Result<HostPort> parse_host_port(const std::string& address) {
    const auto colon = address.rfind(':');
    HostPort parts;
    const auto bad = [&] {
        return Error{Code::invalid, "\"{}\" is not an address: write host:port, for example 127.0.0.1:7000", address};
    };
    if (colon == std::string::npos || colon == 0) return bad();
    parts.host = address.substr(0, colon);
    if (parts.host.front() == '[' && parts.host.back() == ']') parts.host = parts.host.substr(1, parts.host.size() - 2);
    const auto* end = address.data() + address.size();
    const auto [stop, error] = std::from_chars(address.data() + colon + 1, end, parts.port);
    if (error != std::errc{} || stop != end) return bad();
    return parts;
}

bool is_loopback(const std::string& address) {
    const auto parts = parse_host_port(address);
    const auto& host = parts ? parts->host : address;
    return host.starts_with("127.") || host == "localhost" || host == "::1";
}

}  // namespace gs::transport
