#pragma once
// Files of one line, `<label> <id> <base64url>`: keys and certificates. Secret ones have mode 0600 and are refused when
// others may use them. Errors: not_found (no such file), forbidden (a secret that others can read, or no permission),
// conflict (exists already), invalid (not such a file). Loop: all of these block.
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gs {

/// What a file holds: how its line begins, and what an error calls it.
struct KeyFileKind {
    std::string_view label, name;
    bool secret = false;
    std::string_view content = "32 bytes";
    std::size_t text_bytes_max = 256;
};

struct KeyLine {
    std::string id;
    Binary bytes;
};

/// Never replaces a file: an existing one gives conflict.
Result<void> create_key_file(const std::filesystem::path& path, const KeyFileKind& kind, const KeyLine& line);
/// Replaces the file in one step.
Result<void> replace_key_file(const std::filesystem::path& path, const KeyFileKind& kind, const KeyLine& line);
Result<KeyLine> read_key_file(const std::filesystem::path& path, const KeyFileKind& kind);

[[nodiscard]] Error not_a_key(const std::filesystem::path& path, const KeyFileKind& kind);
/// The id in the file is not that of the key in it.
[[nodiscard]] Error wrong_key_id(const std::filesystem::path& path, std::string_view written, std::string_view real);

}  // namespace gs
