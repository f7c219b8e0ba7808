#pragma once
// Is this text UTF-8? Checked where bytes enter, so that JSON in the database and in HTTP is always valid.
// Source: RFC 3629 (no overlong forms, no surrogates, at most U+10FFFF).
#include <string_view>

namespace gs {

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace gs
