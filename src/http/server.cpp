#include "http/server.hpp"

#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "base/log.hpp"
#include "http/listener.hpp"
#include "http/slow_connections.hpp"

namespace gs::http {
namespace {

using namespace std::chrono_literals;

constexpr const char* tls_versions = "NORMAL:-VERS-TLS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
constexpr auto send_time_at_stop = 2s;
/// A body that is too large is read to its end and thrown away, as clients that still send would take a closed
/// connection for a failure and never see the 413. Beyond this they are cut off.
constexpr std::uint64_t discarded_bytes_max = 16 * 1024 * 1024;

HttpResponse stopping_response() { return json_error(Code::unavailable, "the server is stopping; try again"); }

std::uint64_t content_length(MHD_Connection* connection) {
    const auto* text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    std::uint64_t length = 0;
    if (text != nullptr) std::from_chars(text, text + std::char_traits<char>::length(text), length);
    return length;  // the library has refused what is not a number
}

std::string remote_address(MHD_Connection* connection) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == nullptr || info->client_addr == nullptr) return {};
    const auto size = info->client_addr->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    std::array<char, NI_MAXHOST> text{};
    const auto status = ::getnameinfo(info->client_addr, static_cast<socklen_t>(size), text.data(), text.size(),
                                      nullptr, 0, NI_NUMERICHOST);
    return status == 0 ? text.data() : std::string{};
}

MHD_Result collect_header(void* headers, MHD_ValueKind /*kind*/, const char* name, const char* value) {
    static_cast<Headers*>(headers)->emplace_back(name, value == nullptr ? "" : value);
    return MHD_YES;
}

MHD_Result collect_argument(void* query, MHD_ValueKind /*kind*/, const char* name, const char* value) {
    (*static_cast<std::map<std::string, std::string>*>(query))[name] = value == nullptr ? "" : value;
    return MHD_YES;
}

HttpResponse body_too_large(std::size_t bytes_max) {
    auto response = json_error(Code::invalid, fmt::format("the request body is larger than {} bytes", bytes_max));
    response.status = MHD_HTTP_CONTENT_TOO_LARGE;
    return response;
}

}  // namespace

/// The exchanges that wait for an answer. Shared with them, as they may outlive the server.
struct PendingSet {
    std::mutex mutex;
    std::condition_variable changed;
    std::unordered_map<PendingExchange*, std::shared_ptr<PendingExchange>> waiting;
    std::size_t unsent = 0;  ///< handed to a handler and not yet sent or failed
    bool stopping = false;
};

class PendingExchange {
public:
    PendingExchange(MHD_Connection* connection, std::shared_ptr<PendingSet> set)
        : connection_{connection}, set_{std::move(set)} {}

    void reply(HttpResponse response) {
        if (replied_.exchange(true)) return;
        response_ = std::move(response);
        MHD_resume_connection(connection_);
        // Last, since stop() ends the library once none waits.
        const std::lock_guard lock{set_->mutex};
        set_->waiting.erase(this);
        set_->changed.notify_all();
    }

    /// On the server's thread after it was resumed.
    [[nodiscard]] const HttpResponse& response() const { return response_; }

private:
    MHD_Connection* connection_;  // lives as long as it is suspended
    std::shared_ptr<PendingSet> set_;
    std::atomic<bool> replied_ = false;
    HttpResponse response_;
};

HttpExchange::HttpExchange(HttpRequest request, std::shared_ptr<PendingExchange> pending)
    : request_{std::move(request)}, pending_{std::move(pending)} {}

HttpExchange::~HttpExchange() {
    pending_->reply(json_error(Code::internal, "the server had no answer to this request"));
}

void HttpExchange::reply(HttpResponse response) { pending_->reply(std::move(response)); }

namespace {

struct Route {
    Executor executor;
    Handler handler;
};

void run_handler(const Route& route, const std::shared_ptr<HttpExchange>& exchange) {
    try {
        route.handler(exchange);
    } catch (const Error& error) {
        exchange->reply(json_error(error.code(), error.message()));
    } catch (const std::exception& fault) {
        log::error("http: {} {} failed: {}", exchange->request().method, exchange->request().path, fault.what());
        exchange->reply(json_error(Code::internal, "a fault of the server; its log has more"));
    }
}

/// A request while it comes in and until its answer is out.
struct Transfer {
    HttpRequest request;
    std::uint64_t body_bytes = 0;
    std::shared_ptr<PendingExchange> pending;
};

}  // namespace

class HttpServer::Implementation {
public:
    explicit Implementation(HttpServerOptions options) : options_{std::move(options)} {}
    Implementation(const Implementation&) = delete;
    Implementation& operator=(const Implementation&) = delete;
    ~Implementation() { stop(); }

    void route(std::string method, std::string path, Executor executor, Handler handler) {
        const std::lock_guard lock{routes_mutex_};
        const auto route = std::make_shared<const Route>(Route{std::move(executor), std::move(handler)});
        if (!routes_[path].emplace(method, route).second) {
            throw Error{Code::conflict, "http: there is a handler for {} {} already; give one of the two another path",
                        method, path};
        }
    }

    Result<void> start() {
        const auto listener = open_listener(options_);
        if (!listener) return listener.error();
        const auto port = port_of(*listener);
        if (!port) {
            ::close(*listener);
            return port.error();
        }
        listener_ = *listener;
        slow_connections_ = std::make_unique<SlowConnections>(std::chrono::seconds{options_.timeout_seconds},
                                                              [this] { end_empty_daemons(); });
        pending_ = std::make_shared<PendingSet>();
        daemon_ = start_daemon(options_.tls);
        if (daemon_ == nullptr) {
            slow_connections_.reset();
            close_listener();
            return no_daemon();
        }
        port_ = *port;
        return {};
    }

    Result<void> renew_tls(const HttpTls& tls) {
        auto* renewed = start_daemon(tls);
        if (renewed == nullptr) return no_daemon();
        auto* old = daemon_.exchange(renewed);
        // Both accept from the same socket for a moment, so that no connection is refused in between.
        const int its_listener = MHD_quiesce_daemon(old);
        const std::lock_guard lock{old_daemons_mutex_};
        old_daemons_.push_back({old, its_listener});
        return {};
    }

    void stop() {
        if (daemon_ == nullptr) return;
        std::unique_lock lock{pending_->mutex};
        pending_->stopping = true;
        const auto waiting = pending_->waiting;
        lock.unlock();
        for (const auto& [key, exchange] : waiting) exchange->reply(stopping_response());
        lock.lock();
        pending_->changed.wait(lock, [this] { return pending_->waiting.empty(); });
        pending_->changed.wait_for(lock, send_time_at_stop, [this] { return pending_->unsent == 0; });
        lock.unlock();
        MHD_stop_daemon(daemon_);
        daemon_ = nullptr;
        {
            const std::lock_guard old_lock{old_daemons_mutex_};
            for (const auto& old : old_daemons_) old.end();
            old_daemons_.clear();
        }
        slow_connections_.reset();
        close_listener();
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    /// One whose certificate was replaced; it serves the connections that it has.
    struct OldDaemon {
        MHD_Daemon* daemon = nullptr;
        int listener = -1;
        bool was_empty = false;
        void end() const {
            MHD_stop_daemon(daemon);
            ::close(listener);  // not before: the library's thread might still look at it
        }
    };

    /// Twice empty, as it may just have accepted its last connection when it was told not to.
    void end_empty_daemons() {
        const std::lock_guard lock{old_daemons_mutex_};
        std::erase_if(old_daemons_, [](OldDaemon& old) {
            const auto* info = MHD_get_daemon_info(old.daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
            const bool is_empty = info != nullptr && info->num_connections == 0;
            if (!std::exchange(old.was_empty, is_empty) || !is_empty) return false;
            old.end();
            return true;
        });
    }

    void close_listener() { ::close(std::exchange(listener_, -1)); }

    [[nodiscard]] Error no_daemon() const {
        return Error{Code::internal,
                     "http: the server on {} port {} did not start: no memory, threads or descriptors left (see "
                     "ulimit -n and -u), or connections_max {} or the certificate is not possible",
                     options_.address, options_.port, options_.connections_max};
    }

    /// Null: it did not start.
    MHD_Daemon* start_daemon(const std::optional<HttpTls>& tls) {
        // Each one has a descriptor of its own for the socket, as the library closes it.
        const int listener = ::fcntl(listener_, F_DUPFD_CLOEXEC, 0);
        if (listener < 0) return nullptr;
        unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
        std::vector<MHD_OptionItem> tls_options;
        if (tls) {
            flags |= MHD_USE_TLS;
            const auto add = [&](MHD_OPTION option, const char* text) {
                tls_options.push_back({option, 0, const_cast<char*>(text)});  // its parameter is only not const
            };
            add(MHD_OPTION_HTTPS_MEM_CERT, tls->certificate_chain.c_str());
            add(MHD_OPTION_HTTPS_MEM_KEY, tls->key.c_str());
            add(MHD_OPTION_HTTPS_PRIORITIES, tls_versions);
        }
        tls_options.push_back({MHD_OPTION_END, 0, nullptr});
        auto* daemon = MHD_start_daemon(
            flags, 0, nullptr, nullptr, &on_data, this, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_NOTIFY_COMPLETED,
            &on_completed, this, MHD_OPTION_NOTIFY_CONNECTION, &on_connection, this, MHD_OPTION_CONNECTION_LIMIT,
            options_.connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, options_.connections_per_address_max,
            MHD_OPTION_CONNECTION_TIMEOUT, options_.timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
            options_.header_bytes_max, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls_options.data(),
            MHD_OPTION_END);
        // Else the library has closed the listener or not, so it must be left alone.
        return daemon;
    }

    static MHD_Result on_data(void* self, MHD_Connection* connection, const char* path, const char* method,
                              const char* /*version*/, const char* data, std::size_t* size, void** context) {
        return static_cast<Implementation*>(self)->receive(connection, path, method, {data, *size}, *size, *context);
    }

    static void on_completed(void* self, MHD_Connection* connection, void** context,
                             MHD_RequestTerminationCode /*code*/) {
        static_cast<Implementation*>(self)->complete(connection, static_cast<Transfer*>(*context));
        *context = nullptr;
    }

    static void on_connection(void* self, MHD_Connection* connection, void** /*context*/,
                              MHD_ConnectionNotificationCode code) {
        auto& slow = *static_cast<Implementation*>(self)->slow_connections_;
        if (code == MHD_CONNECTION_NOTIFY_CLOSED) return slow.close(connection);
        slow.open(connection, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    }

    /// Called once with the headers, then for each piece of the body, then once at its end, and again when resumed.
    MHD_Result receive(MHD_Connection* connection, const char* path, const char* method, std::string_view data,
                       std::size_t& unread, void*& context) {
        if (context == nullptr) {
            auto transfer = std::make_unique<Transfer>();
            transfer->request.path = path;
            transfer->request.method = method;
            context = transfer.release();  // complete() deletes it
            return begin(connection);
        }
        auto& transfer = *static_cast<Transfer*>(context);
        if (!data.empty()) {
            unread = 0;
            return receive_body(transfer, data);
        }
        if (transfer.body_bytes > options_.body_bytes_max)
            return send(connection, body_too_large(options_.body_bytes_max));
        if (transfer.pending != nullptr) {
            slow_connections_->restart(connection, false);
            return send(connection, transfer.pending->response());
        }
        return dispatch(connection, transfer);
    }

    MHD_Result begin(MHD_Connection* connection) {
        const auto length = content_length(connection);
        if (length <= options_.body_bytes_max) return MHD_YES;
        const auto waits = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT) != nullptr;
        if (waits || length > discarded_bytes_max) return send(connection, body_too_large(options_.body_bytes_max));
        return MHD_YES;
    }

    MHD_Result receive_body(Transfer& transfer, std::string_view data) const {
        transfer.body_bytes += data.size();
        if (transfer.body_bytes <= options_.body_bytes_max) {
            transfer.request.body.append(data);
            return MHD_YES;
        }
        transfer.request.body = std::string{};
        return transfer.body_bytes <= discarded_bytes_max ? MHD_YES : MHD_NO;
    }

    MHD_Result dispatch(MHD_Connection* connection, Transfer& transfer) {
        auto& request = transfer.request;
        const auto [route, refusal] = find_route(request.method, request.path);
        if (route == nullptr) return send(connection, refusal);
        MHD_get_connection_values(connection, MHD_HEADER_KIND, &collect_header, &request.headers);
        MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, &collect_argument, &request.query);
        request.remote_address = remote_address(connection);

        transfer.pending = std::make_shared<PendingExchange>(connection, pending_);
        slow_connections_->restart(connection, true);
        MHD_suspend_connection(connection);  // before anyone can reply
        bool stopping = false;
        {
            const std::lock_guard lock{pending_->mutex};
            ++pending_->unsent;
            stopping = pending_->stopping;
            if (!stopping) pending_->waiting.emplace(transfer.pending.get(), transfer.pending);
        }
        if (stopping) {
            transfer.pending->reply(stopping_response());
            return MHD_YES;
        }
        auto exchange = std::make_shared<HttpExchange>(std::move(request), transfer.pending);
        try {
            route->executor([route = route, exchange = std::move(exchange)] { run_handler(*route, exchange); });
        } catch (const std::exception& fault) {
            // The function is gone and the exchange with it, which has answered 500.
            log::error("http: a request was not passed to its loop: {}", fault.what());
        }
        return MHD_YES;
    }

    struct Found {
        std::shared_ptr<const Route> route;
        HttpResponse refusal;
    };

    Found find_route(const std::string& method, const std::string& path) {
        const std::lock_guard lock{routes_mutex_};
        const auto methods = routes_.find(path);
        if (methods == routes_.end())
            return {nullptr, json_error(Code::not_found, fmt::format("there is nothing at {}", path))};
        auto found = methods->second.find(method);
        if (found == methods->second.end() && method == "HEAD") found = methods->second.find("GET");
        if (found != methods->second.end()) return {found->second, {}};

        std::string allowed;
        for (const auto& [name, route] : methods->second) {
            allowed += (allowed.empty() ? "" : ", ") + name;
            if (name == "GET") allowed += ", HEAD";
        }
        auto refusal = json_error(Code::invalid, fmt::format("{} does not take {}; use {}", path, method, allowed));
        refusal.status = MHD_HTTP_METHOD_NOT_ALLOWED;
        refusal.headers.emplace_back("Allow", allowed);
        return {nullptr, std::move(refusal)};
    }

    MHD_Result send(MHD_Connection* connection, const HttpResponse& response) {
        // The library copies; its parameter is only not const.
        auto* body = const_cast<char*>(response.body.data());
        const std::unique_ptr<MHD_Response, decltype(&MHD_destroy_response)> built{
            MHD_create_response_from_buffer(response.body.size(), body, MHD_RESPMEM_MUST_COPY), &MHD_destroy_response};
        if (built == nullptr) return MHD_NO;
        if (!response.content_type.empty()) add_header(*built, MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type);
        for (const auto& [name, value] : response.headers) add_header(*built, name, value);
        // A client that asks again and again would keep an old certificate for ever.
        const auto* of = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
        if (of->daemon != daemon_) add_header(*built, MHD_HTTP_HEADER_CONNECTION, "close");
        return MHD_queue_response(connection, response.status, built.get());
    }

    static void add_header(MHD_Response& response, const std::string& name, const std::string& value) {
        if (MHD_add_response_header(&response, name.c_str(), value.c_str()) == MHD_YES) return;
        log::error("http: the answer's header \"{}\" is not allowed and was left out", name);
    }

    void complete(MHD_Connection* connection, Transfer* transfer) {
        slow_connections_->restart(connection, false);
        const std::unique_ptr<Transfer> owned{transfer};
        if (owned == nullptr || owned->pending == nullptr) return;
        const std::lock_guard lock{pending_->mutex};
        --pending_->unsent;
        pending_->changed.notify_all();
    }

    const HttpServerOptions options_;
    std::mutex routes_mutex_;
    std::map<std::string, std::map<std::string, std::shared_ptr<const Route>>> routes_;
    std::shared_ptr<PendingSet> pending_;
    std::unique_ptr<SlowConnections> slow_connections_;
    int listener_ = -1;
    std::atomic<MHD_Daemon*> daemon_ = nullptr;  // written by the thread that starts and stops
    std::mutex old_daemons_mutex_;
    std::vector<OldDaemon> old_daemons_;
    std::uint16_t port_ = 0;
};

HttpServer::HttpServer(HttpServerOptions options)
    : implementation_{std::make_unique<Implementation>(std::move(options))} {}
HttpServer::~HttpServer() = default;
void HttpServer::route(std::string method, std::string path, Executor executor, Handler handler) {
    implementation_->route(std::move(method), std::move(path), std::move(executor), std::move(handler));
}
Result<void> HttpServer::start() { return implementation_->start(); }
Result<void> HttpServer::renew_tls(HttpTls tls) { return implementation_->renew_tls(tls); }
void HttpServer::stop() { implementation_->stop(); }
std::uint16_t HttpServer::port() const { return implementation_->port(); }

}  // namespace gs::http
