// The PROXY header of a balancer.
#include <arpa/inet.h>

#include <array>

#include "tests/fuzz/require.hpp"
#include "wire/proxy_protocol.hpp"

using namespace gs;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView input{data, size};
    const auto header = wire::read_proxy_header(input);
    require(header.consumed <= size, "no more is taken than there is");
    require(header.consumed == 0 || header.fault == nullptr, "what is refused is not taken");
    require(header.consumed > 0 || header.fault != nullptr || size < 4096, "a header does not grow without end");
    if (header.consumed > 0 && !header.address.empty()) {
        std::array<std::uint8_t, 16> bytes{};
        require(::inet_pton(AF_INET, header.address.c_str(), bytes.data()) == 1 ||
                    ::inet_pton(AF_INET6, header.address.c_str(), bytes.data()) == 1,
                "an address is one", header.address);
    }
    for (std::size_t part = 0; header.fault == nullptr && part < std::min<std::size_t>(header.consumed, 64); ++part) {
        const auto cut = wire::read_proxy_header(input.first(part));
        require(cut.consumed == 0 && cut.fault == nullptr, "the beginning of a header waits for the rest");
    }
    return 0;
}
