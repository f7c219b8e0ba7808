#include <catch2/catch.hpp>

#include "wire/proxy_protocol.hpp"

using namespace gs;
using namespace gs::wire;

namespace {

std::string header_2(char command, char family, std::string_view more) {
    std::string text{"\r\n\r\n\0\r\nQUIT\n", 12};
    text += command;
    text += family;
    text += static_cast<char>(more.size() >> 8U);
    text += static_cast<char>(more.size());
    return text.append(more);
}

/// However it is cut.
ProxyHeader read(const std::string& text) {
    ProxyHeader whole = read_proxy_header(as_bytes(text));
    for (std::size_t size = 0; size < whole.consumed; ++size) {
        const auto part = read_proxy_header(as_bytes(text).first(size));
        CHECK((part.consumed == 0 && part.fault == nullptr));
    }
    return whole;
}

}  // namespace

TEST_CASE("a balancer's line names the client", "[proxy][CLU-13]") {
    const auto header = read("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nrest");
    CHECK(header.address == "192.0.2.7");
    CHECK(header.consumed == 45);
    CHECK(read("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n").address == "2001:db8::7");
    const auto unknown = read("PROXY UNKNOWN\r\n");
    CHECK((unknown.consumed == 15 && unknown.address.empty() && unknown.fault == nullptr));
}

TEST_CASE("a balancer's binary header names the client", "[proxy][CLU-13]") {
    const std::string four{"\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb", 12};
    CHECK(read(header_2('\x21', '\x11', four)).address == "192.0.2.7");
    CHECK(read(header_2('\x21', '\x11', four + std::string{"\x20\x00\x01x", 4})).consumed == 32);
    std::string six{"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16};
    six.resize(36);
    CHECK(read(header_2('\x21', '\x21', six)).address == "2001:db8::7");
    const auto own = read(header_2('\x20', '\0', ""));
    CHECK((own.consumed == 16 && own.address.empty() && own.fault == nullptr));
}

TEST_CASE("what is no PROXY header is told at once", "[proxy][CLU-13][hostile]") {
    const auto fault = [](const std::string& text) { return read_proxy_header(as_bytes(text)).fault != nullptr; };
    CHECK(fault("GET / HTTP/1.1\r\n"));
    CHECK(fault("PROXYTCP4"));
    CHECK(fault("PROXY TCP4 nonsense 198.51.100.1 56324 443\r\n"));
    CHECK(fault("PROXY TCP6 192.0.2.7 198.51.100.1 56324 443\r\n"));
    CHECK(fault("PROXY UDP4 192.0.2.7 198.51.100.1 56324 443\r\n"));
    CHECK(fault("PROXY TCP4 " + std::string(200, '1')));
    CHECK(fault("\r\n\r\nX"));
    CHECK(fault(header_2('\x31', '\x11', std::string(12, 'x'))));
    CHECK(fault(header_2('\x21', '\x11', "short")));
    CHECK(fault(header_2('\x21', '\x11', std::string(3000, 'x'))));
}
