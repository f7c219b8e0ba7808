#include "transport/tcp/tcp_transport.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "base/log.hpp"
#include "transport/tcp/tcp_connection.hpp"

namespace gs::transport {

namespace {

using asio::ip::tcp;
using Socket = asio::basic_stream_socket<tcp, asio::io_context::executor_type>;

constexpr auto accept_pause = std::chrono::milliseconds{100};
constexpr int accepts_per_turn = 64;

std::string to_text(const tcp::endpoint& end) {
    return end.address().is_v6() ? fmt::format("[{}]:{}", end.address().to_string(), end.port())
                                 : fmt::format("{}:{}", end.address().to_string(), end.port());
}

class TcpListener final : public Listener, private runtime::Pollable {
public:
    TcpListener(runtime::AsioLoop& loop, ListenOptions options, Transport::OnAccept on_accept)
        : loop_{loop}, options_{options}, on_accept_{std::move(on_accept)} {}
    ~TcpListener() override {
        loop_.cancel(pause_);
        if (socket_ < 0) return;
        loop_.poller().remove(socket_);
        ::close(socket_);
    }

    Result<void> open(const HostPort& address) {
        asio::error_code error;
        const auto ip = asio::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, error);
        if (error) return Error{Code::invalid, "\"{}\" is not an IP address of this machine", address.host};
        const tcp::endpoint end{ip, address.port};
        tcp::acceptor acceptor{loop_.io()};
        acceptor.open(end.protocol(), error);
        if (!error) acceptor.set_option(asio::socket_base::reuse_address{true}, error);
        if (!error) acceptor.bind(end, error);
        if (!error) acceptor.listen(options_.backlog, error);
        if (!error) acceptor.native_non_blocking(true, error);
        if (error == asio::error::address_in_use) {
            return Error{Code::conflict, "port {} of {} is in use by another process; stop it or choose another port",
                         address.port, address.host};
        }
        if (error)
            return Error{Code::invalid, "cannot listen on {}:{}: {}", address.host, address.port, error.message()};
        address_ = to_text(acceptor.local_endpoint(error));
        socket_ = acceptor.release(error);
        // Not owned by the poller: the listener removes itself.
        loop_.poller().add(socket_, {std::shared_ptr<void>{}, static_cast<runtime::Pollable*>(this)}, true, false);
        return {};
    }

    std::string address() const override { return address_; }

private:
    void on_ready(bool /*readable*/, bool /*writable*/) override {
        for (int count = 0; count < accepts_per_turn; ++count) {
            const int socket = ::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket >= 0) {
                if (std::exchange(paused_, false)) log::info("accepting connections on {} again", address_);
                on_accept_(std::make_shared<TcpConnection>(loop_, socket));
                continue;
            }
            if (errno == EAGAIN) return;
            if (errno == EINTR || errno == ECONNABORTED) continue;
            pause(std::strerror(errno));
            return;
        }
    }

    /// Out of files or memory: clients wait in the backlog instead of the server spinning or falling.
    void pause(const char* why) {
        if (!std::exchange(paused_, true)) log::warn("accepting connections on {} pauses: {}", address_, why);
        loop_.poller().change(socket_, false, false);
        pause_ = loop_.after(accept_pause, [this] { loop_.poller().change(socket_, true, false); });
    }

    runtime::AsioLoop& loop_;
    ListenOptions options_;
    Transport::OnAccept on_accept_;
    std::string address_;
    int socket_ = -1;
    bool paused_ = false;
    runtime::TimerId pause_{};
};

/// One attempt to connect: resolve, connect, or give up at the timeout.
class Attempt : public std::enable_shared_from_this<Attempt> {
public:
    Attempt(runtime::AsioLoop& loop, Transport::OnConnect done)
        : loop_{loop}, done_{std::move(done)}, resolver_{loop.io()}, socket_{loop.io()}, timer_{loop.io()} {}

    void begin(const std::string& address, const HostPort& parts, runtime::Duration timeout) {
        address_ = address;
        timer_.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(timeout));
        timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
            if (!error) self->finish({Code::deadline, "{} does not answer", self->address_});
        });
        asio::error_code literal;
        const auto ip = asio::ip::make_address(parts.host, literal);
        if (!literal) {
            connect({ip, parts.port});
            return;
        }
        resolver_.async_resolve(parts.host, std::to_string(parts.port),
                                [self = shared_from_this()](const asio::error_code& error, const auto& found) {
                                    if (error || found.empty()) {
                                        self->finish({Code::unavailable, "the name in {} is not known: {}",
                                                      self->address_, error.message()});
                                    } else {
                                        self->connect(found.begin()->endpoint());
                                    }
                                });
    }

private:
    void connect(const tcp::endpoint& end) {
        if (!done_) return;
        socket_.async_connect(end, [self = shared_from_this()](const asio::error_code& error) {
            if (error) {
                self->finish({Code::unavailable, "cannot connect to {}: {}", self->address_, error.message()});
                return;
            }
            self->timer_.cancel();
            asio::error_code failed;
            self->socket_.native_non_blocking(true, failed);
            if (auto done = std::exchange(self->done_, nullptr)) {
                done(std::shared_ptr<Connection>{
                    std::make_shared<TcpConnection>(self->loop_, self->socket_.release(failed))});
            }
        });
    }
    void finish(Error why) {
        timer_.cancel();
        resolver_.cancel();
        asio::error_code ignored;
        socket_.close(ignored);
        if (auto done = std::exchange(done_, nullptr)) done(std::move(why));
    }

    runtime::AsioLoop& loop_;
    Transport::OnConnect done_;
    asio::ip::basic_resolver<tcp, asio::io_context::executor_type> resolver_;
    Socket socket_;
    asio::steady_timer timer_;
    std::string address_;
};

class TcpTransport final : public Transport {
public:
    Result<std::unique_ptr<Listener>> listen(runtime::Loop& loop, const std::string& address, ListenOptions options,
                                             OnAccept on_accept) override {
        const auto parts = parse_host_port(address);
        if (!parts) return parts.error();
        auto listener =
            std::make_unique<TcpListener>(static_cast<runtime::AsioLoop&>(loop), options, std::move(on_accept));
        const auto opened = listener->open(*parts);
        if (!opened) return opened.error();
        return std::unique_ptr<Listener>{std::move(listener)};
    }

    void connect(runtime::Loop& loop, const std::string& address, runtime::Duration timeout,
                 OnConnect on_connect) override {
        const auto parts = parse_host_port(address);
        if (!parts) {
            loop.post([on_connect = std::move(on_connect), error = parts.error()] { on_connect(error); });
            return;
        }
        std::make_shared<Attempt>(static_cast<runtime::AsioLoop&>(loop), std::move(on_connect))
            ->begin(address, *parts, timeout);
    }
};

}  // namespace

std::unique_ptr<Transport> make_tcp_transport() { return std::make_unique<TcpTransport>(); }

}  // namespace gs::transport
