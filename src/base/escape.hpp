#pragma once
// Makes foreign text safe to print: nobody can end a log line, move the cursor or break out of a JSON string with it.
#include <cstddef>
#include <string>
#include <string_view>

namespace gs {

/// Control characters, line separators, direction overrides and bytes that are not UTF-8 become \n, \x1b, \u2028 ...
/// The characters of `also` get a backslash in front.
void append_printable(std::string& out, std::string_view text, std::string_view also = {});

/// `"text"` with everything escaped that RFC 8259 asks for; bytes that are not UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view text);

/// The longest beginning of at most `bytes_max` that does not cut a character in two.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

}  // namespace gs
