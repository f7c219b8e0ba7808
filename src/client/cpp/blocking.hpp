#pragma once
// The client for tools and tests that have nothing else to do: each call waits for its answer.
// Loop: one thread at a time. Pushes, heartbeats and resuming are handled inside the calls only: call poll() at least once in a
// heartbeat period, and make no request from inside a push handler.
#include <asio/io_context.hpp>

#include "client/cpp/client.hpp"

namespace gs::client {

class BlockingClient {
public:
    explicit BlockingClient(ClientOptions options = {}) : client_{io_, std::move(options)} {}

    [[nodiscard]] Result<wire::Entered> connect(std::vector<Gateway> gateways, std::string token);
    [[nodiscard]] Result<wire::Entered> connect(std::string host, std::uint16_t port, std::string token);

    template <Request R>
    [[nodiscard]] Result<ReplyOf<R>> request(const R& message) {
        Result<ReplyOf<R>> result = Error{Code::deadline, "no answer"};
        bool done = false;
        client_.request(message, [&](Result<ReplyOf<R>> reply) {
            result = std::move(reply);
            done = true;
        });
        run_until(done);
        return result;
    }

    template <Push P, class Handler>
    void on(Handler handler) {
        client_.on<P>(std::move(handler));
    }
    void on_away(std::function<void(const wire::Close&)> handler) { client_.on_away(std::move(handler)); }
    void on_resumed(std::function<void(bool gap)> handler) { client_.on_resumed(std::move(handler)); }
    void on_queued(std::function<void(const wire::Queued&)> handler) { client_.on_queued(std::move(handler)); }
    void on_closed(std::function<void(const wire::Close&)> handler) { client_.on_closed(std::move(handler)); }
    /// Handles what arrives during this time.
    void poll(Duration time);
    void close() { client_.close(); }
    [[nodiscard]] bool connected() const { return client_.connected(); }
    [[nodiscard]] bool in_session() const { return client_.in_session(); }
    [[nodiscard]] Duration rtt() const { return client_.rtt(); }

private:
    void run_until(const bool& done);

    asio::io_context io_{1};
    Client client_;
};

}  // namespace gs::client
