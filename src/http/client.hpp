#pragma once
// Blocking HTTP client that keeps its connection open between calls. Follows no redirects.
// Owner: one object for each thread. Loop: never on one; in a pool, a tool or a test.
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "http/message.hpp"

namespace gs::http {

struct HttpFetch {
    std::string method = "GET";
    std::string url;
    Headers headers{};
    std::string body{};
    std::string ca_file{};                      ///< PEM; of https, trusted instead of the system's authorities
    std::chrono::milliseconds timeout{10'000};  ///< for all of it, from connecting to the last byte
    std::size_t response_bytes_max = 8 * 1024 * 1024;
};

class HttpClient {
public:
    HttpClient();
    HttpClient(HttpClient&&) noexcept;
    HttpClient& operator=(HttpClient&&) noexcept;
    ~HttpClient();

    /// Any status is a response. Errors: invalid (url, or the answer is too large), unavailable (no connection, or it
    /// broke), deadline, forbidden (the server's certificate is not to be trusted).
    Result<HttpResponse> fetch(const HttpFetch& fetch);

private:
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

}  // namespace gs::http
