#include "base/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace gs {

namespace {

std::size_t ascii_prefix(std::string_view text) {
    std::size_t at = 0;
    for (std::uint64_t words[4]; at + sizeof(words) <= text.size(); at += sizeof(words)) {
        std::memcpy(words, text.data() + at, sizeof(words));
        if (((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080ULL) != 0) break;
    }
    while (at < text.size() && static_cast<std::uint8_t>(text[at]) < 0x80) ++at;
    return at;
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (;;) {
        text.remove_prefix(ascii_prefix(text));
        if (text.empty()) return true;
        const auto lead = static_cast<std::uint8_t>(text[0]);
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return false;
        for (std::size_t index = 1; index < length; ++index) {
            if ((static_cast<std::uint8_t>(text[index]) & 0xc0U) != 0x80) return false;
        }
        const auto second = static_cast<std::uint8_t>(text[1]);
        const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
        const bool outside = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
        if (overlong || outside) return false;
        text.remove_prefix(length);
    }
}

}  // namespace gs
