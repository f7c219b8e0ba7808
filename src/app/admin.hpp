#pragma once
// The endpoint for operators of each node: /metrics for Prometheus, /healthz (the process works), /readyz (its roles
// serve).
#include <memory>
#include <string>

#include "app/node.hpp"
#include "http/server.hpp"

namespace gs::app {

class Admin {
public:
    Admin(Node& node, runtime::Loop& home) : node_{node}, home_{home} {}

    /// Errors: the address cannot be listened on; an empty address starts nothing.
    Result<void> start(const std::string& address);
    void stop() { server_.reset(); }
    [[nodiscard]] std::string address() const { return address_; }

private:
    Node& node_;
    runtime::Loop& home_;
    std::string address_;
    std::unique_ptr<http::HttpServer> server_;
};

}  // namespace gs::app
