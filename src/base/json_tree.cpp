#include "base/json_tree.hpp"

template class nlohmann::basic_json<>;

namespace gs {

nlohmann::json parse_json(std::string_view text) { return nlohmann::json::parse(text); }

nlohmann::json parse_json_or_discard(std::string_view text) { return nlohmann::json::parse(text, nullptr, false); }

bool is_json(std::string_view text) { return nlohmann::json::accept(text); }

}  // namespace gs
