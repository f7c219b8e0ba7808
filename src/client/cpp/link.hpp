#pragma once
// One TCP connection of a Client: moves bytes. Owner: the SessionKeeper, and its own pending operations until close().
// Loop: the client's executor.
#include <memory>
#include <string>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "client/cpp/gateway.hpp"
#include "client/cpp/session.hpp"

namespace gs::client::detail {

class LinkOwner {
public:
    virtual void on_bytes(BytesView bytes) = 0;
    /// What was written has left: there may be more.
    virtual void on_written() = 0;
    virtual void on_lost(std::string_view why) = 0;

protected:
    ~LinkOwner() = default;
};

class Link final : public std::enable_shared_from_this<Link> {
public:
    Link(const asio::any_io_executor& executor, LinkOwner& owner);

    asio::awaitable<Result<void>> connect(Gateway gateway, Duration deadline);
    /// Reads from now on.
    void start();
    /// Takes all of `output`, unless an earlier write is under way.
    void write(Buffer& output);
    /// Sends what can be sent at once, and hangs up. The owner hears nothing more.
    void close(BytesView last_words = {});

private:
    void wait_readable();
    void readable();
    void written(const asio::error_code& error);
    void lost(std::string_view why);

    LinkOwner* owner_;  // null once it is closed
    asio::ip::tcp::socket socket_;
    asio::steady_timer timer_;
    Buffer sending_;
    bool writing_ = false, connecting_ = false;
};

}  // namespace gs::client::detail
