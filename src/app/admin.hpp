#pragma once
// The endpoint for operators of each node: /metrics for Prometheus, /healthz (the process works), /readyz (its roles
// serve), POST /v1/drain, which any node passes on to the game that is meant, kicks, bans and log-calls
// (moderate.hpp).
#include <memory>
#include <optional>
#include <string>

#include "app/node.hpp"
#include "http/server.hpp"
#include "session/messages.hpp"

namespace gs::app {

/// The body of POST /v1/drain; the answer is a session::Draining.
struct DrainRequest {
    std::string node;
    std::optional<bool> on;  ///< must be there: nothing is drained by a field that was forgotten
    bool only_ask = false;
    FIELDS(node, on, only_ask)
};

class Admin {
public:
    Admin(Node& node, runtime::Loop& home) : node_{node}, home_{home} {}

    /// Errors: the address cannot be listened on; an empty address starts nothing.
    Result<void> start(const std::string& address);
    void stop();
    [[nodiscard]] std::string address() const { return address_; }

private:
    runtime::Task<> drain(std::shared_ptr<http::HttpExchange> exchange, DrainRequest request);

    Node& node_;
    runtime::Loop& home_;
    std::string address_;
    std::unique_ptr<http::HttpServer> server_;
    runtime::Tasks tasks_;
};

}  // namespace gs::app
