#pragma once
// HTTP/1.1 server on a thread of its own, with TLS (1.2 and above) when it has a certificate. A handler runs where its
// executor puts it (a role's loop) and may answer later, from any thread; meanwhile the connection costs no thread. Every
// error is JSON (see json_error).
// Owner: stop() or the destructor answers what is pending with 503; exchanges may outlive the server and then do
// nothing. Loop: start() and stop() block shortly and must not be called by a handler.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "http/message.hpp"

namespace gs::http {

/// PEM texts; the certificate's chain in one of them, its own first.
struct HttpTls {
    std::string certificate_chain, key;
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";  ///< an IP address of this machine; 0.0.0.0 or :: for all
    std::uint16_t port = 0;             ///< 0: any free one, see HttpServer::port()
    unsigned connections_max = 4096;
    unsigned connections_per_address_max = 256;
    /// An idle connection is closed after it, and so is one whose request has not come in whole by then.
    unsigned timeout_seconds = 15;
    std::size_t body_bytes_max = 64 * 1024;
    std::size_t header_bytes_max = 16 * 1024;
    std::optional<HttpTls> tls{};  ///< none: plain HTTP
};

class PendingExchange;

/// One request that waits for its answer. The first reply() counts, later ones do nothing; dropped without, it answers
/// 500.
class HttpExchange {
public:
    HttpExchange(HttpRequest request, std::shared_ptr<PendingExchange> pending);
    HttpExchange(const HttpExchange&) = delete;
    HttpExchange& operator=(const HttpExchange&) = delete;
    ~HttpExchange();

    [[nodiscard]] const HttpRequest& request() const { return request_; }
    void reply(HttpResponse response);

private:
    HttpRequest request_;
    std::shared_ptr<PendingExchange> pending_;
};

/// Runs the function on the loop that the handler belongs to. Dropping the function is allowed and answers 500.
using Executor = std::function<void(std::function<void()>)>;
/// An Error that it throws becomes the answer; any other exception is logged and answers 500.
using Handler = std::function<void(std::shared_ptr<HttpExchange>)>;

class HttpServer {
public:
    explicit HttpServer(HttpServerOptions options);
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    /// At any time, from any thread. Throws Error conflict when the method and path are taken. GET answers HEAD as
    /// well.
    void route(std::string method, std::string path, Executor executor, Handler handler);

    /// Errors: conflict (port in use), invalid (address), forbidden (port below 1024), internal (among others when the
    /// certificate is unusable: the library does not say why, so check it before).
    Result<void> start();
    /// After start(), on the same thread. New connections get this certificate. What older ones have asked is answered,
    /// then they are closed; while they last the limits count them apart. Error: internal; all stays as it was.
    Result<void> renew_tls(HttpTls tls);
    /// Answers pending exchanges with 503, lets answers go out for at most two seconds, then closes everything.
    void stop();

    /// The port that is listened on; 0 before start().
    [[nodiscard]] std::uint16_t port() const;

private:
    class Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace gs::http
