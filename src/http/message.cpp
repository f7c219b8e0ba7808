#include "http/message.hpp"

#include <strings.h>

#include <algorithm>

#include "base/json_tree.hpp"

namespace gs::http {

std::string_view find_header(const Headers& headers, std::string_view name) {
    const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
        return header.first.size() == name.size() && ::strncasecmp(header.first.data(), name.data(), name.size()) == 0;
    });
    return found == headers.end() ? std::string_view{} : std::string_view{found->second};
}

unsigned status_of(Code code) {
    switch (code) {
        case Code::ok:
            return 200;
        case Code::invalid:
            return 400;
        case Code::unauthenticated:
            return 401;
        case Code::forbidden:
            return 403;
        case Code::not_found:
        case Code::unknown_command:
            return 404;
        case Code::conflict:
        case Code::fenced:
            return 409;
        case Code::limited:
            return 429;
        case Code::outdated:
            return 426;
        case Code::busy:
        case Code::unavailable:
            return 503;
        case Code::deadline:
            return 504;
        case Code::internal:
            return 500;
    }
    return 500;
}

HttpResponse json_error(Code code, std::string_view message) {
    const nlohmann::json json{{"error", {{"code", to_string(code)}, {"message", message}}}};
    HttpResponse response;
    response.status = status_of(code);
    response.body = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return response;
}

}  // namespace gs::http
