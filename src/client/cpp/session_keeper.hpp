#pragma once
// Keeps a Client's session on a connection: opens links, moves the bytes of the Protocol, wakes it in time, and when a
// link is lost resumes through another one. Owner: the Client, and its own pending operations until close().
// Loop: the client's executor.
#include <optional>
#include <random>

#include "client/cpp/client.hpp"
#include "client/cpp/link.hpp"

namespace gs::client::detail {

class SessionKeeper final : private ProtocolEvents,
                            private LinkOwner,
                            public std::enable_shared_from_this<SessionKeeper> {
public:
    SessionKeeper(asio::any_io_executor executor, std::shared_ptr<Handlers> handlers, ClientOptions options,
                  std::vector<Gateway> gateways);

    /// Enters through the first gateway that lets the player in.
    asio::awaitable<Result<wire::Entered>> open(std::string token);
    void close();
    /// Something was written to the protocol's output: it goes out with what else this turn writes.
    void flush_soon();
    [[nodiscard]] Protocol& protocol() { return protocol_; }
    [[nodiscard]] const Protocol& protocol() const { return protocol_; }

private:
    void on_entered(const wire::Entered& entered) override;
    void on_resumed(const wire::Entered& entered) override;
    void on_queued(const wire::Queued& queued) override;
    void on_push(Command command, BytesView body) override;
    void on_away(const wire::Close& close) override;
    void on_closed(const wire::Close& close) override;
    void on_bytes(BytesView bytes) override;
    void on_written() override;
    void on_lost(std::string_view why) override;

    asio::awaitable<Result<void>> connect(std::size_t gateway);
    asio::awaitable<Result<wire::Entered>> enter(std::size_t gateway, std::string token);
    asio::awaitable<void> come_back(std::shared_ptr<SessionKeeper> self);
    asio::awaitable<void> until_settled();
    void settle();
    void drop_link();
    void after_work();
    void flush();
    void arm_timer();
    void disarm_timer();

    asio::any_io_executor executor_;
    std::shared_ptr<Handlers> handlers_;
    ClientOptions options_;
    std::vector<Gateway> gateways_;
    std::minstd_rand random_{std::random_device{}()};
    Reconnect reconnect_;
    Protocol protocol_;
    std::shared_ptr<Link> link_;
    std::size_t gateway_ = 0;  // of the link
    asio::steady_timer tick_, pause_, settled_;
    std::optional<Result<wire::Entered>> outcome_;
    bool is_settled_ = false;  // what the hello began has come to an end; cancels settled_
    bool was_in_ = false, is_in_ = false, returning_ = false, closed_ = false, flush_posted_ = false;
    Time armed_for_ = Time::max();
};

}  // namespace gs::client::detail
