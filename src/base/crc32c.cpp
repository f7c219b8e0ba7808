#include "base/crc32c.hpp"

#include <array>
#include <cstring>

namespace gs {

namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // its bits turned round

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
        auto value = byte;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? polynomial : 0);
        table[byte] = value;
    }
    return table;
}
constexpr auto table = make_table();

std::uint32_t by_table(std::uint32_t value, BytesView bytes) {
    for (const auto byte : bytes) value = (value >> 8U) ^ table[(value ^ byte) & 0xffU];
    return value;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_processor(std::uint32_t value, BytesView bytes) {
    std::uint64_t wide = value;
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        std::uint64_t next = 0;
        std::memcpy(&next, bytes.data(), sizeof next);
        wide = __builtin_ia32_crc32di(wide, next);
    }
    value = static_cast<std::uint32_t>(wide);
    for (const auto byte : bytes) value = __builtin_ia32_crc32qi(value, byte);
    return value;
}
#endif

}  // namespace

std::uint32_t crc32c(BytesView bytes) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return ~by_processor(~0U, bytes);
#endif
    return detail::crc32c_by_table(bytes);
}

std::uint32_t detail::crc32c_by_table(BytesView bytes) { return ~by_table(~0U, bytes); }

}  // namespace gs
