#pragma once
// What a fuzz target says must hold: a broken rule is printed and ends the process, in every kind of build.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/utf8.hpp"

namespace gs::fuzz {

inline void require(bool holds, std::string_view rule, std::string_view found = "") {
    if (holds) return;
    std::fprintf(stderr, "broken rule: %.*s\n%.*s\n", static_cast<int>(rule.size()), rule.data(),
                 static_cast<int>(found.size()), found.data());
    std::abort();
}

[[nodiscard]] inline bool same(BytesView left, BytesView right) { return as_text(left) == as_text(right); }

/// What reaches a log or a person: UTF-8, and nothing that ends a line or moves the cursor but the line ends in `also`.
inline void require_printable(std::string_view text, std::string_view also = {}) {
    require(is_utf8(text), "a text for people is UTF-8", text);
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        require((byte >= 0x20 && byte != 0x7f) || also.find(letter) != std::string_view::npos,
                "a text for people has no control characters", text);
    }
}

}  // namespace gs::fuzz
