#pragma once
// An HttpServer with a loop behind it, and clients that keep the rules or do not. Owner: the test.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "base/log.hpp"
#include "http/client.hpp"
#include "http/server.hpp"

namespace gs::http {

using namespace std::chrono_literals;

/// A thread that runs what is posted, as a role's loop does.
class TestLoop {
public:
    TestLoop() : thread_{[this] { run(); }} {}
    TestLoop(const TestLoop&) = delete;
    TestLoop& operator=(const TestLoop&) = delete;
    ~TestLoop() {
        post(nullptr);
        thread_.join();
    }
    void post(std::function<void()> function) {
        {
            const std::lock_guard lock{mutex_};
            queue_.push_back(std::move(function));
        }
        wake_.notify_one();
    }
    Executor executor() {
        return [this](std::function<void()> function) { post(std::move(function)); };
    }

private:
    void run() {
        while (true) {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [this] { return !queue_.empty(); });
            const auto function = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            if (!function) return;
            function();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    std::thread thread_;
};

/// Exchanges that a handler has put aside.
class Kept {
public:
    Handler handler() {
        return [this](const std::shared_ptr<HttpExchange>& exchange) {
            const std::lock_guard lock{mutex_};
            exchanges_.push_back(exchange);
            changed_.notify_all();
        };
    }
    std::vector<std::shared_ptr<HttpExchange>> take(std::size_t count) {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, 20s, [&] { return exchanges_.size() >= count; });
        return std::move(exchanges_);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::shared_ptr<HttpExchange>> exchanges_;
};

inline HttpResponse text_response(std::string body) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = std::move(body);
    return response;
}

/// A client that sends any bytes it likes.
class RawClient {
public:
    explicit RawClient(std::uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() { ::close(socket_); }

    bool send(std::string_view text) const {
        while (!text.empty()) {
            const auto count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (count <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }
    /// What came until the server closed or `end` was seen.
    std::string read_until(std::string_view end) const {
        std::string text;
        std::array<char, 4096> piece{};
        while (text.find(end) == std::string::npos && readable(20s)) {
            const auto count = ::recv(socket_, piece.data(), piece.size(), 0);
            if (count <= 0) break;
            text.append(piece.data(), static_cast<std::size_t>(count));
        }
        return text;
    }
    [[nodiscard]] bool readable(std::chrono::milliseconds wait) const {
        pollfd entry{socket_, POLLIN, 0};
        return ::poll(&entry, 1, static_cast<int>(wait.count())) == 1;
    }

private:
    int socket_;
};

struct Fixture {
    explicit Fixture(HttpServerOptions options = {}) : server{std::move(options)} {
        server.route("GET", "/ping", loop.executor(),
                     [](const std::shared_ptr<HttpExchange>& exchange) { exchange->reply(text_response("pong")); });
        server.route("POST", "/echo", loop.executor(), [](const std::shared_ptr<HttpExchange>& exchange) {
            exchange->reply(text_response(exchange->request().body));
        });
        server.route("GET", "/keep", loop.executor(), kept.handler());
        server.start().value();
    }
    [[nodiscard]] std::string url(std::string_view path) const {
        return fmt::format("http://127.0.0.1:{}{}", server.port(), path);
    }
    HttpResponse get(std::string_view path) { return client.fetch({.url = url(path)}).value(); }

    Kept kept;
    TestLoop loop;
    HttpServer server;
    HttpClient client;
};

inline std::string request(std::string_view path) { return fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", path); }

}  // namespace gs::http
