#pragma once
// What an operator sends to the admin endpoint: JSON that is read strictly, so that nothing is done by a field that was
// written wrongly or forgotten. Errors: throws invalid.
#include "api/json.hpp"
#include "http/message.hpp"

namespace gs::app {

/// Throws unless it is sent as JSON: a page in a browser cannot do that without being asked first.
void require_json(const http::HttpRequest& request);

template <class Order>
[[nodiscard]] Order order_of(const http::HttpRequest& request) {
    require_json(request);
    return from_json<Order>(request.body, Strictness::strict).value();
}

}  // namespace gs::app
