#pragma once
// One TCP connection of a Client: moves the bytes of its Protocol, wakes it in time, and ends with it.
// Owner: the Client, and its own pending operations until close(). Loop: the client's executor.
#include <optional>

#include <asio/ip/tcp.hpp>

#include "client/cpp/client.hpp"

namespace gs::client::detail {

class Link final : public ProtocolEvents, public std::enable_shared_from_this<Link> {
public:
    Link(const asio::any_io_executor& executor, std::shared_ptr<Handlers> handlers, const ClientOptions& options);

    /// Connects, says hello and enters.
    asio::awaitable<Result<wire::Entered>> open(std::string host, std::uint16_t port, std::string token);
    void close();
    /// Something was written to the protocol's output: it goes out with what else this turn writes.
    void flush_soon();
    [[nodiscard]] Protocol& protocol() { return protocol_; }

    void on_entered(const wire::Entered& entered) override;
    void on_push(Command command, BytesView body) override;
    void on_closed(const wire::Close& close) override;

private:
    asio::awaitable<Result<void>> connect(std::string host, std::uint16_t port);
    void start(std::string token);
    void wait_readable();
    void readable();
    void after_work();
    void flush();
    void arm_timer();
    void shut();

    asio::ip::tcp::socket socket_;
    asio::steady_timer timer_;
    asio::steady_timer opened_;  // cancelled when outcome_ is there
    std::shared_ptr<Handlers> handlers_;
    Duration connect_deadline_;
    Protocol protocol_;
    std::optional<Result<wire::Entered>> outcome_;
    Buffer sending_;
    bool writing_ = false, flush_posted_ = false, connecting_ = false;
    Time armed_for_ = Time::max();
};

}  // namespace gs::client::detail
