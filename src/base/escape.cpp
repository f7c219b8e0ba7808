#include "base/escape.hpp"

#include <cstdint>
#include <cstring>
#include <iterator>

#include <fmt/format.h>

#include "base/utf8.hpp"

namespace gs {

namespace {

constexpr bool is_plain(unsigned char byte) { return byte >= 0x20 && byte < 0x7f; }

std::size_t character_bytes(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0x80 ? 2 : 1;
    return length <= text.size() && is_utf8(text.substr(0, length)) ? length : 0;
}

std::uint32_t code_point(std::string_view character) {
    const auto lead = static_cast<unsigned char>(character[0]);
    std::uint32_t code = character.size() == 1 ? lead : lead & (0x7fU >> character.size());
    for (const auto byte : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(byte) & 0x3fU);
    return code;
}

bool is_unsafe_to_print(std::uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void append_code(std::string& out, std::uint32_t code) {
    switch (code) {
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            if (code < 0x100) {
                fmt::format_to(std::back_inserter(out), "\\x{:02x}", code);
            } else {
                fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
            }
    }
}

/// `escapes_high`: bytes of 0x80 and above end the prefix too.
std::size_t json_plain_prefix(std::string_view text, bool escapes_high) {
    constexpr std::uint64_t each = 0x0101010101010101;
    constexpr std::uint64_t top = each * 0x80;
    std::size_t at = 0;
    // Eight bytes at once while they are all plain ASCII.
    for (std::uint64_t word = 0; at + sizeof(word) <= text.size(); at += sizeof(word)) {
        std::memcpy(&word, text.data() + at, sizeof(word));
        const auto has = [](std::uint64_t bytes, std::uint64_t value) {
            const auto difference = bytes ^ (each * value);
            return (difference - each) & ~difference;
        };
        const auto control = (word - each * 0x20) & ~word;
        if (((control | has(word, '"') | has(word, '\\') | has(word, 0x7f) | word) & top) != 0) break;
    }
    for (; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f || (byte >= 0x80 && escapes_high)) break;
    }
    return at;
}

}  // namespace

void append_printable(std::string& out, std::string_view text, std::string_view also) {
    while (!text.empty()) {
        std::size_t plain = 0;
        while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain])) &&
               also.find(text[plain]) == std::string_view::npos) {
            ++plain;
        }
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) return;
        const auto length = character_bytes(text);
        const auto code = length == 0 ? static_cast<unsigned char>(text[0]) : code_point(text.substr(0, length));
        if (length == 0 || is_unsafe_to_print(code)) {
            append_code(out, code);
        } else {
            if (length == 1) out += '\\';
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
}

void append_json_text(std::string& out, std::string_view text) {
    const bool valid = is_utf8(text);
    out += '"';
    while (!text.empty()) {
        const auto plain = json_plain_prefix(text, !valid);
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) break;
        const auto byte = static_cast<unsigned char>(text[0]);
        const auto length = character_bytes(text);
        if (length == 0) {
            out += "\xef\xbf\xbd";
        } else if (length > 1) {
            out += text.substr(0, length);
        } else if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[0];
        } else if (byte == '\n') {
            out += "\\n";
        } else {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out += '"';
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    auto end = bytes_max;
    for (std::size_t back = 0; back < 3 && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80; ++back)
        --end;
    return text.substr(0, end);
}

}  // namespace gs
