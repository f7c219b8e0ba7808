#include "app/order.hpp"

#include <algorithm>
#include <cctype>

namespace gs::app {

namespace {

/// Media types have no case, and parameters may follow.
bool is_json(std::string_view type) {
    constexpr std::string_view json = "application/json";
    if (type.size() < json.size()) return false;
    const bool same = std::equal(json.begin(), json.end(), type.begin(), [](char one, char other) {
        return one == std::tolower(static_cast<unsigned char>(other));
    });
    const auto rest = type.substr(json.size());
    return same && (rest.empty() || rest.front() == ';' || rest.front() == ' ');
}

}  // namespace

void require_json(const http::HttpRequest& request) {
    if (!is_json(request.header("Content-Type")))
        throw Error{Code::invalid, "send JSON, with Content-Type: application/json"};
}

}  // namespace gs::app
