#pragma once
// A player's session in any Asio program: `auto ok = co_await client.request(Say{...});`. See README.md beside it.
// When the connection is lost it resumes the session by itself, through any of the gateways: requests take longer.
// Owner: destroy it before its io_context; what waits then ends with an error. Loop: everything on the executor given,
// which must not run handlers in parallel (a single-threaded io_context, or a strand); handlers are called there.
// Errors: as in protocol.hpp. When the session is over on_closed tells, and connect() may be called again.
#include <concepts>
#include <functional>
#include <unordered_map>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "client/cpp/gateway.hpp"
#include "client/cpp/protocol.hpp"
#include "client/cpp/reconnect.hpp"

namespace gs::client {

struct ClientOptions {
    ProtocolOptions protocol;
    Duration connect_deadline = std::chrono::seconds{5};
    Duration request_deadline = std::chrono::seconds{5};
    bool resumes = true;  ///< false: a lost connection is the end of the session
    ReconnectOptions reconnect;
};

namespace detail {

class SessionKeeper;

/// What the program wants to hear; outlives the single session.
struct Handlers {
    std::unordered_map<Command, std::function<Result<void>(BytesView)>> pushes;
    std::function<void(const wire::Close&)> away, closed;
    std::function<void(bool gap)> resumed;
    std::function<void(const wire::Queued&)> queued;
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

    /// Enters through the first of the gateways that lets the player in; a session that exists is closed first.
    [[nodiscard]] asio::awaitable<Result<wire::Entered>> connect(std::vector<Gateway> gateways, std::string token);
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
    /// The connection is lost and the client tries to resume; requests wait.
    void on_away(std::function<void(const wire::Close&)> handler) { handlers_->away = std::move(handler); }
    /// The session goes on. `gap`: pushes may be missing, and modules send what they send to who has just entered.
    void on_resumed(std::function<void(bool gap)> handler) { handlers_->resumed = std::move(handler); }
    /// The server is full: connect() waits until the player is let in, and this tells how far it is.
    void on_queued(std::function<void(const wire::Queued&)> handler) { handlers_->queued = std::move(handler); }
    /// The session is over, by the server or because nobody resumed it in time; not called for close().
    void on_closed(std::function<void(const wire::Close&)> handler) { handlers_->closed = std::move(handler); }

    /// Leaves for good: the server is told, so that the player does not stay in the game.
    void close();
    /// The connection is good at this moment.
    [[nodiscard]] bool connected() const;
    /// The session goes on, though its connection may be lost at this moment.
    [[nodiscard]] bool in_session() const;
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
    std::shared_ptr<detail::SessionKeeper> keeper_;  // of the last session, if there was one
};

}  // namespace gs::client
