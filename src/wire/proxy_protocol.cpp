#include "wire/proxy_protocol.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace gs::wire {

namespace {

constexpr std::string_view signature_1 = "PROXY ";
constexpr std::size_t line_bytes_max = 107;
constexpr std::string_view signature_2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t header_2_bytes = 16;
constexpr std::size_t more_2_bytes_max = 2048;  // addresses, and what a balancer adds about TLS

ProxyHeader fault(const char* why) { return {0, {}, why}; }

bool is_address(int family, const std::string& text) {
    std::array<std::uint8_t, sizeof(in6_addr)> bytes{};
    return ::inet_pton(family, text.c_str(), bytes.data()) == 1;
}

ProxyHeader read_line(std::string_view text) {
    const auto end = text.substr(0, line_bytes_max).find("\r\n");
    if (end == std::string_view::npos) {
        if (text.size() >= line_bytes_max) return fault("its line does not end");
        return {};
    }
    ProxyHeader header;
    header.consumed = end + 2;
    auto rest = text.substr(signature_1.size(), end - signature_1.size());
    const auto word = [&rest] {
        const auto space = rest.find(' ');
        const auto found = rest.substr(0, space);
        rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
        return found;
    };
    const auto family = word();
    if (family == "UNKNOWN") return header;
    header.address = word();
    const bool known = family == "TCP4" || family == "TCP6";
    if (!known || !is_address(family == "TCP4" ? AF_INET : AF_INET6, header.address))
        return fault("it names no address");
    return header;
}

std::string text_of(int family, BytesView bytes) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family, bytes.data(), text.data(), text.size());
    return text.data();
}

ProxyHeader read_binary(BytesView bytes) {
    if (bytes.size() < header_2_bytes) return {};
    const std::uint8_t version = bytes[12] >> 4U, command = bytes[12] & 0x0fU, family = bytes[13] >> 4U;
    const std::size_t more = std::size_t{bytes[14]} << 8U | bytes[15];
    if (version != 2 || command > 1) return fault("its version is not 2");
    if (more > more_2_bytes_max) return fault("it is too long");
    if (bytes.size() < header_2_bytes + more) return {};
    ProxyHeader header;
    header.consumed = header_2_bytes + more;
    if (command == 0 || family == 0) return header;
    const auto addresses = bytes.subspan(header_2_bytes, more);
    const bool is_4 = family == 1 && more >= 12, is_6 = family == 2 && more >= 36;
    if (!is_4 && !is_6) return fault("it names no address");
    header.address = text_of(is_4 ? AF_INET : AF_INET6, addresses);
    return header;
}

/// Of the beginning that is there so far.
bool begins(std::string_view text, std::string_view signature) {
    const auto size = std::min(text.size(), signature.size());
    return text.substr(0, size) == signature.substr(0, size);
}

}  // namespace

ProxyHeader read_proxy_header(BytesView bytes) {
    const auto text = as_text(bytes);
    if (begins(text, signature_1)) return text.size() < signature_1.size() ? ProxyHeader{} : read_line(text);
    if (begins(text, signature_2)) return read_binary(bytes);
    return fault("no PROXY header came first");
}

}  // namespace gs::wire
