#include "transport/tcp/tcp_transport.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "base/log.hpp"
#include "transport/tcp/tcp_connection.hpp"

namespace gs::transport {

namespace {

using asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

constexpr auto accept_pause = std::chrono::milliseconds{100};

class TcpListener final : public Listener {
public:
    TcpListener(runtime::AsioLoop& loop, ListenOptions options, Transport::OnAccept on_accept)
        : state_{std::make_shared<State>(loop, options, std::move(on_accept))} {}
    ~TcpListener() override {
        asio::error_code ignored;
        state_->acceptor.close(ignored);
        state_->on_accept = nullptr;
    }

    Result<void> open(const HostPort& address) {
        asio::error_code error;
        const auto ip = asio::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, error);
        if (error) return Error{Code::invalid, "\"{}\" is not an IP address of this machine", address.host};
        const tcp::endpoint end{ip, address.port};
        auto& acceptor = state_->acceptor;
        acceptor.open(end.protocol(), error);
        if (!error) acceptor.set_option(asio::socket_base::reuse_address{true}, error);
        if (!error) acceptor.bind(end, error);
        if (!error) acceptor.listen(state_->options.backlog, error);
        if (error == asio::error::address_in_use) {
            return Error{Code::conflict, "port {} of {} is in use by another process; stop it or choose another port",
                         address.port, address.host};
        }
        if (error) return Error{Code::invalid, "cannot listen on {}:{}: {}", address.host, address.port, error.message()};
        accept(state_);
        return {};
    }

    std::string address() const override {
        asio::error_code ignored;
        const auto end = state_->acceptor.local_endpoint(ignored);
        return end.address().is_v6() ? fmt::format("[{}]:{}", end.address().to_string(), end.port())
                                     : fmt::format("{}:{}", end.address().to_string(), end.port());
    }

private:
    struct State {
        State(runtime::AsioLoop& on_loop, ListenOptions with, Transport::OnAccept call)
            : loop{on_loop}, options{with}, on_accept{std::move(call)}, acceptor{on_loop.io()}, pause{on_loop.io()} {}
        runtime::AsioLoop& loop;
        ListenOptions options;
        Transport::OnAccept on_accept;
        Acceptor acceptor;
        asio::steady_timer pause;
        bool paused = false;
    };

    static void accept(const std::shared_ptr<State>& state) {
        state->acceptor.async_accept(state->loop.io().get_executor(), [state](const asio::error_code& error, Socket socket) {
            if (!state->acceptor.is_open() || !state->on_accept) return;
            if (!error) {
                if (std::exchange(state->paused, false)) log::info("accepting connections again");
                state->on_accept(
                    std::make_shared<TcpConnection>(state->loop, std::move(socket), state->options.read_bytes));
                accept(state);
                return;
            }
            // Out of files or memory: clients wait in the backlog instead of the server spinning or falling.
            if (!std::exchange(state->paused, true)) log::warn("accepting connections pauses: {}", error.message());
            state->pause.expires_after(accept_pause);
            state->pause.async_wait([state](const asio::error_code& ended) {
                if (!ended && state->acceptor.is_open()) accept(state);
            });
        });
    }

    std::shared_ptr<State> state_;
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
            if (auto done = std::exchange(self->done_, nullptr)) {
                done(std::shared_ptr<Connection>{
                    std::make_shared<TcpConnection>(self->loop_, std::move(self->socket_), link_read_bytes)});
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

    static constexpr std::size_t link_read_bytes = 64 * 1024;
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
        auto listener = std::make_unique<TcpListener>(static_cast<runtime::AsioLoop&>(loop), options, std::move(on_accept));
        const auto opened = listener->open(*parts);
        if (!opened) return opened.error();
        return std::unique_ptr<Listener>{std::move(listener)};
    }

    void connect(runtime::Loop& loop, const std::string& address, runtime::Duration timeout, OnConnect on_connect) override {
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
