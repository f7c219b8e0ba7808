#pragma once
// A player's connection in any Asio program: `auto ok = co_await client.request(Say{...});`. See README.md beside it.
// Owner: destroy it before its io_context; what waits then ends with an error. Loop: everything on the executor given,
// which must not run handlers in parallel (a single-threaded io_context, or a strand); handlers are called there.
// Errors: as in protocol.hpp. It does not reconnect by itself: on_closed tells, and connect() may be called again.
#include <concepts>
#include <functional>
#include <unordered_map>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "client/cpp/protocol.hpp"

namespace gs::client {

struct ClientOptions {
    ProtocolOptions protocol;
    Duration connect_deadline = std::chrono::seconds{5};
    Duration request_deadline = std::chrono::seconds{5};
};

namespace detail {

class Link;

/// What the program wants to hear; outlives the single connection.
struct Handlers {
    std::unordered_map<Command, std::function<Result<void>(BytesView)>> pushes;
    std::function<void(const wire::Close&)> closed;
};

template <class Reply>
Result<Reply> decode_reply(const Result<BytesView>& body) {
    if (!body) return body.error();
    auto reply = msgpack::decode<Reply>(*body);
    if (!reply) return Error{Code::invalid, "the reply does not decode: {}", reply.error().message()};
    return reply;
}

template <class Reply, class Handler>
class CallbackReply final : public Pending {
public:
    explicit CallbackReply(Handler handler) : handler_{std::move(handler)} {}
    void finish(Result<BytesView> body) override { handler_(decode_reply<Reply>(body)); }

private:
    Handler handler_;
};

/// A coroutine waits on the timer, which is the cheapest event that Asio destroys together with its waiter.
class AwaitedReply : public Pending {
public:
    explicit AwaitedReply(const asio::any_io_executor& executor) : arrival_{executor, Time::max()} {}
    static asio::awaitable<void> arrival(std::shared_ptr<AwaitedReply> reply);

protected:
    void arrived();

private:
    asio::steady_timer arrival_;
    bool arrived_ = false;
};

template <class Reply>
class TypedAwaitedReply final : public AwaitedReply {
public:
    using AwaitedReply::AwaitedReply;
    void finish(Result<BytesView> body) override {
        result = decode_reply<Reply>(body);
        arrived();
    }
    Result<Reply> result = Error{Code::deadline, "the wait for the reply was cancelled"};
};

}  // namespace detail

class Client {
public:
    explicit Client(asio::any_io_executor executor, ClientOptions options = {});
    explicit Client(asio::io_context& io, ClientOptions options = {}) : Client{io.get_executor(), std::move(options)} {}
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    /// Connects and enters; a connection that exists is closed first.
    [[nodiscard]] asio::awaitable<Result<wire::Entered>> connect(std::string host, std::uint16_t port,
                                                                 std::string token);

    template <Request R>
    [[nodiscard]] asio::awaitable<Result<ReplyOf<R>>> request(R message) {
        return request(std::move(message), options_.request_deadline);
    }
    template <Request R>
    [[nodiscard]] asio::awaitable<Result<ReplyOf<R>>> request(R message, Duration deadline) {
        auto reply = std::make_shared<detail::TypedAwaitedReply<ReplyOf<R>>>(executor_);
        send(message, deadline, reply);
        co_await detail::AwaitedReply::arrival(reply);
        co_return std::move(reply->result);
    }
    /// The handler gets a Result<ReplyOf<R>>.
    template <Request R, class Handler>
    requires std::invocable<Handler&, Result<ReplyOf<R>>>
    void request(const R& message, Handler handler) { request(message, std::move(handler), options_.request_deadline); }
    template <Request R, class Handler>
    requires std::invocable<Handler&, Result<ReplyOf<R>>>
    void request(const R& message, Handler handler, Duration deadline) {
        send(message, deadline, std::make_shared<detail::CallbackReply<ReplyOf<R>, Handler>>(std::move(handler)));
    }

    /// One handler for each kind of push; those without one are dropped.
    template <Push P, class Handler>
    requires std::invocable<Handler&, const P&>
    void on(Handler handler) {
        handlers_->pushes[command_of<P>] = [handler = std::move(handler)](BytesView body) mutable -> Result<void> {
            const auto message = msgpack::decode<P>(body);
            if (!message)
                return Error{Code::invalid, "the push {} does not decode: {}", name_of<P>(), message.error().message()};
            handler(*message);
            return {};
        };
    }
    /// Called when the server or the network ends an entered connection; not for close().
    void on_closed(std::function<void(const wire::Close&)> handler) { handlers_->closed = std::move(handler); }

    void close();
    [[nodiscard]] bool connected() const;
    /// Round trip of the last heartbeat; zero before the first.
    [[nodiscard]] Duration rtt() const;
    [[nodiscard]] const asio::any_io_executor& executor() const { return executor_; }

private:
    template <Request R>
    void send(const R& message, Duration deadline, std::shared_ptr<Pending> pending) {
        auto* protocol = this->protocol();
        if (protocol == nullptr) {
            pending->finish(Error{Code::unavailable, "not connected; {} was not sent", name_of<R>()});
            return;
        }
        protocol->send(message, Clock::now() + deadline, std::move(pending));
        sent();
    }
    [[nodiscard]] Protocol* protocol() const;
    void sent();

    asio::any_io_executor executor_;
    ClientOptions options_;
    std::shared_ptr<detail::Handlers> handlers_ = std::make_shared<detail::Handlers>();
    std::shared_ptr<detail::Link> link_;  // the last connection, if there was one
};

}  // namespace gs::client
