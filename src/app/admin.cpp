#include "app/admin.hpp"

#include <algorithm>
#include <cctype>

#include "api/json.hpp"
#include "transport/transport.hpp"

namespace gs::app {

namespace {

http::HttpResponse text(unsigned status, std::string body) {
    http::HttpResponse response;
    response.status = status;
    response.content_type = "text/plain; charset=utf-8";
    response.body = std::move(body);
    return response;
}

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

Result<void> Admin::start(const std::string& address) {
    if (address.empty()) return {};
    const auto parts = transport::parse_host_port(address);
    if (!parts) return Error{Code::invalid, "admin.address: {}", parts.error().message()};
    http::HttpServerOptions options;
    options.address = parts->host;
    options.port = parts->port;
    server_ = std::make_unique<http::HttpServer>(options);
    // Health and metrics are answered on the server's own thread: a stuck loop must not hide itself.
    const http::Executor here = [](std::function<void()> work) { work(); };
    const http::Executor on_home = [this](std::function<void()> work) { home_.post(std::move(work)); };
    server_->route("GET", "/metrics", here, [this](std::shared_ptr<http::HttpExchange> exchange) {
        auto response = text(200, node_.metrics().to_prometheus_text());
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        exchange->reply(std::move(response));
    });
    server_->route("GET", "/healthz", here, [this](std::shared_ptr<http::HttpExchange> exchange) {
        const bool alive = node_.is_alive(runtime::Time{std::chrono::steady_clock::now()});
        exchange->reply(alive ? text(200, "ok\n") : text(503, "a loop has been stuck for over 10 seconds\n"));
    });
    server_->route("GET", "/readyz", on_home, [this](std::shared_ptr<http::HttpExchange> exchange) {
        const auto why_not = node_.not_ready_because();
        exchange->reply(why_not.empty() ? text(200, "ready\n") : text(503, why_not + "\n"));
    });
    server_->route("POST", "/v1/drain", on_home, [this](std::shared_ptr<http::HttpExchange> exchange) {
        // A page in a browser cannot send this without being asked first.
        if (!is_json(exchange->request().header("Content-Type"))) {
            throw Error{Code::invalid, "send JSON, with Content-Type: application/json"};
        }
        auto request = from_json<DrainRequest>(exchange->request().body, Strictness::strict).value();
        if (request.node.empty() || !request.on) {
            throw Error{Code::invalid,
                        "\"{}\" is missing; write {{\"node\":NAME,\"on\":true}} to drain a node, and false to "
                        "let it take players again",
                        request.node.empty() ? "node" : "on"};
        }
        tasks_.spawn(drain(std::move(exchange), std::move(request)), "drain");
    });
    const auto started = server_->start();
    if (!started) return Error{started.error().code(), "admin.address: {}", started.error().message()};
    address_ = fmt::format("{}:{}", parts->host, server_->port());
    return {};
}

void Admin::stop() {
    server_.reset();
    tasks_.cancel();
}

runtime::Task<> Admin::drain(std::shared_ptr<http::HttpExchange> exchange, DrainRequest request) {
    std::optional<RoleAddress> game;
    std::string others;
    for (const auto& instance : node_.home_bus().instances()) {
        if (instance.address.role != Role::game) continue;
        if (instance.node == request.node) game = instance.address;
        others += fmt::format("{}{}", others.empty() ? "" : ", ", instance.node);
    }
    if (!game) {
        exchange->reply(http::json_error(
            Code::not_found, fmt::format("no node \"{}\" with a game role is connected; there {}", request.node,
                                         others.empty() ? "is none" : "are: " + others)));
        co_return;
    }
    session::Drain order;
    order.on = *request.on;
    order.only_ask = request.only_ask;
    auto state = co_await node_.operators_bus().call(*game, order);
    if (!state) {
        exchange->reply(http::json_error(state.error().code(), state.error().message()));
        co_return;
    }
    http::HttpResponse response;
    response.body = to_json(*state);
    exchange->reply(std::move(response));
}

}  // namespace gs::app
