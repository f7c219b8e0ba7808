#pragma once
// nlohmann::json, with its code compiled once, in json_tree.cpp: include this instead of the library's header.
// Ownership: values. Loop: any thread. Errors: parse_json throws nlohmann::json::exception; the other two do not.
#include <string_view>

#include <nlohmann/json.hpp>

extern template class nlohmann::basic_json<>;

namespace gs {

[[nodiscard]] nlohmann::json parse_json(std::string_view text);
/// What is not JSON gives a tree that is_discarded().
[[nodiscard]] nlohmann::json parse_json_or_discard(std::string_view text);
[[nodiscard]] bool is_json(std::string_view text);

}  // namespace gs
