#pragma once
// What an HTTP request and its answer are made of, for handlers, clients and tests alike.
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gs::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// The value of the first header with this name in any case; empty when there is none.
[[nodiscard]] std::string_view find_header(const Headers& headers, std::string_view name);

struct HttpRequest {
    std::string method;
    std::string path;                          ///< without the query, percent-decoded
    std::map<std::string, std::string> query;  ///< percent-decoded; of a repeated name the last
    Headers headers;
    std::string body;
    std::string remote_address;  ///< numeric, without the port

    [[nodiscard]] std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    Headers headers;

    [[nodiscard]] std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

[[nodiscard]] unsigned status_of(Code code);

/// `{"error":{"code":"not_found","message":"..."}}` with the status that belongs to the code.
[[nodiscard]] HttpResponse json_error(Code code, std::string_view message);

}  // namespace gs::http
