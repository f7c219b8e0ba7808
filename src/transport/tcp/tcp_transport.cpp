#include "transport/tcp/tcp_transport.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <mutex>
#include <optional>

#include "base/log.hpp"
#include "runtime/pool.hpp"
#include "transport/tcp/socket_address.hpp"
#include "transport/tcp/tcp_connection.hpp"

namespace gs::transport {

namespace {

constexpr auto accept_pause = std::chrono::milliseconds{100};
constexpr int accepts_at_once = 2;
constexpr int keepalive_probes = 3;

/// Sockets with this number and above are not kept. (A new socket takes the lowest number that is free.)
int sockets_end(int spare_files) {
    rlimit files{};
    if (spare_files == 0 || ::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > INT_MAX) return INT_MAX;
    const auto all = static_cast<int>(files.rlim_cur);
    return all - std::min(spare_files, all / 8);
}

int open_socket(const SocketAddress& address) {
    return ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

class TcpListener final : public Listener, private runtime::Pollable {
public:
    TcpListener(runtime::EpollLoop& loop, ListenOptions options, Transport::OnAccept on_accept)
        : loop_{loop},
          options_{std::move(options)},
          on_accept_{std::move(on_accept)},
          sockets_end_{sockets_end(options_.spare_files)} {}
    ~TcpListener() override {
        loop_.cancel(pause_);
        if (socket_ < 0) return;
        loop_.poller().remove(socket_);
        ::close(socket_);
    }

    Result<void> open(const HostPort& address) {
        const auto end = parse_socket_address({address.host == "localhost" ? "127.0.0.1" : address.host, address.port});
        if (!end) return Error{Code::invalid, "\"{}\" is not an IP address of this machine", address.host};
        socket_ = open_socket(*end);
        if (socket_ < 0) return refused(address, errno);
        const int on = 1;
        set_options();
        const bool listens = ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                             ::bind(socket_, end->get(), end->size) == 0 && ::listen(socket_, options_.backlog) == 0;
        if (!listens) return refused(address, errno);
        address_ = local_address(socket_).text();
        // Not owned by the poller: the listener removes itself. Who comes waits for those who are in.
        loop_.poller().add(socket_, {std::shared_ptr<void>{}, static_cast<runtime::Pollable*>(this)}, true, false,
                           true);
        return {};
    }

    std::string address() const override { return address_; }
    std::uint64_t pauses() const override { return pauses_; }

private:
    /// Before listen(), so that the window of connections can be as large as their buffers; accepted sockets inherit all.
    void set_options() const {
        const auto set = [this](int level, int name, int value) {
            ::setsockopt(socket_, level, name, &value, sizeof(value));
        };
        if (options_.unsent_bytes_max > 0) set(IPPROTO_TCP, TCP_NOTSENT_LOWAT, options_.unsent_bytes_max);
        if (options_.send_buffer_bytes > 0) set(SOL_SOCKET, SO_SNDBUF, options_.send_buffer_bytes);
        if (options_.receive_buffer_bytes > 0) set(SOL_SOCKET, SO_RCVBUF, options_.receive_buffer_bytes);
        if (!options_.keepalive) return set(SOL_SOCKET, SO_KEEPALIVE, 1);
        const auto idle = static_cast<int>(options_.keepalive->count());
        if (idle == 0) return;
        set(SOL_SOCKET, SO_KEEPALIVE, 1);
        set(IPPROTO_TCP, TCP_KEEPIDLE, idle);
        set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, idle / keepalive_probes));
        set(IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
    }

    Error refused(const HostPort& address, int why) {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
        if (why == EADDRINUSE) {
            return {Code::conflict, "port {} of {} is in use by another process; stop it or choose another port",
                    address.port, address.host};
        }
        return {Code::invalid, "cannot listen on {}:{}: {}", address.host, address.port, std::strerror(why)};
    }

    void on_ready(bool /*readable*/, bool /*writable*/) override {
        const auto objection = options_.objection ? options_.objection() : std::string{};
        if (!objection.empty()) {
            pause(objection);
            return;
        }
        for (int count = 0; count < accepts_at_once; ++count) {
            const int socket = ::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket >= sockets_end_) {
                ::close(socket);
                pause("all files that the system allows are open (ulimit -n)");
                return;
            }
            if (socket >= 0) {
                on_accept_(std::make_shared<TcpConnection>(loop_, socket));
                continue;
            }
            if (errno == EAGAIN) break;
            if (errno == EINTR || errno == ECONNABORTED) continue;
            pause(std::strerror(errno));
            return;
        }
        if (paused_ && !somebody_waits()) {
            paused_ = false;
            log::info("accepting connections on {} again", address_);
        }
    }

    bool somebody_waits() const {
        pollfd listening{socket_, POLLIN, 0};
        return ::poll(&listening, 1, 0) > 0;
    }

    /// Out of files or memory: clients wait in the backlog instead of the server spinning or falling.
    void pause(const std::string& why) {
        ++pauses_;
        if (!std::exchange(paused_, true)) log::warn("accepting connections on {} pauses: {}", address_, why);
        loop_.poller().change(socket_, false, false);
        pause_ = loop_.after(accept_pause, [this] { loop_.poller().change(socket_, true, false); });
    }

    runtime::EpollLoop& loop_;
    ListenOptions options_;
    Transport::OnAccept on_accept_;
    std::string address_;
    int socket_ = -1;
    const int sockets_end_;
    bool paused_ = false;
    std::uint64_t pauses_ = 0;
    runtime::TimerId pause_{};
};

/// Names are looked up one after another on a thread that begins with the first of them.
class Resolver {
public:
    using Found = Result<std::vector<SocketAddress>>;

    Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver() { closing_ = true; }

    /// Loop: any. Nothing is looked up for who has given up by then.
    runtime::Future<Found> resolve(runtime::Loop& loop, HostPort parts, std::shared_ptr<std::atomic<bool>> given_up) {
        std::call_once(began_, [this] { pool_.emplace(runtime::BlockingPool::Options{1, waiting_max}); });
        return pool_->run(loop, [this, parts = std::move(parts), given_up = std::move(given_up)] {
            if (closing_ || *given_up) return std::vector<SocketAddress>{};
            return transport::resolve(parts).value();
        });
    }

private:
    static constexpr std::size_t waiting_max = 256;
    std::atomic<bool> closing_{false};
    std::once_flag began_;
    std::optional<runtime::BlockingPool> pool_;
};

/// One attempt to connect: resolve, connect, or give up at the timeout. It lives as long as its timer.
class Attempt final : public std::enable_shared_from_this<Attempt>, private runtime::Pollable {
public:
    Attempt(runtime::EpollLoop& loop, Resolver& resolver, std::string address, Transport::OnConnect done)
        : loop_{loop}, resolver_{resolver}, address_{std::move(address)}, done_{std::move(done)} {}
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;
    ~Attempt() {
        *given_up_ = true;
        close();
    }

    void begin(const HostPort& parts, runtime::Duration timeout) {
        timer_ = loop_.after(timeout, [self = shared_from_this()] {
            self->finish(Error{Code::deadline, "{} does not answer", self->address_});
        });
        const auto literal = parse_socket_address(parts);
        if (literal) {
            connect({*literal});
        } else {
            tasks_.spawn(look_up(parts), "resolve");
        }
    }

private:
    runtime::Task<> look_up(HostPort parts) {
        auto resolving = resolver_.resolve(loop_, parts, given_up_);
        const auto found = co_await std::move(resolving);
        if (found && !found->empty()) {
            connect(*found);
        } else if (!found) {
            fail(fmt::format("the name in {} is not known: {}", address_, found.error().message()));
        }
    }

    void connect(std::vector<SocketAddress> ends) {
        ends_ = std::move(ends);
        connect_next();
    }
    /// To the first of those that are left; the last one that fails tells why.
    void connect_next() {
        const auto end = ends_.front();
        ends_.erase(ends_.begin());
        socket_ = open_socket(end);
        const int on = 1;
        ::setsockopt(socket_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        if (socket_ < 0 || (::connect(socket_, end.get(), end.size) != 0 && errno != EINPROGRESS)) {
            refused(errno);
            return;
        }
        // Not owned by the poller: the attempt removes itself.
        loop_.poller().add(socket_, {std::shared_ptr<void>{}, static_cast<runtime::Pollable*>(this)}, false, true);
    }

    void refused(int why) {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
        if (ends_.empty()) {
            fail(fmt::format("cannot connect to {}: {}", address_, std::strerror(why)));
        } else {
            connect_next();
        }
    }

    void on_ready(bool /*readable*/, bool /*writable*/) override {
        int error = 0;
        socklen_t size = sizeof(error);
        ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
        loop_.poller().remove(socket_);
        if (error != 0) {
            refused(error);
            return;
        }
        finish(std::shared_ptr<Connection>{std::make_shared<TcpConnection>(loop_, std::exchange(socket_, -1))});
    }

    /// The caller may still be inside connect(): told in the next turn.
    void fail(std::string why) {
        const auto self = shared_from_this();
        loop_.cancel(timer_);
        timer_ =
            loop_.after({}, [self, why = std::move(why)] { self->finish(Error::verbatim(Code::unavailable, why)); });
    }

    void finish(Result<std::shared_ptr<Connection>> outcome) {
        close();
        const auto done = std::exchange(done_, nullptr);
        loop_.cancel(timer_);  // which may be the end of this object
        done(std::move(outcome));
    }

    void close() {
        if (socket_ < 0) return;
        loop_.poller().remove(socket_);
        ::close(std::exchange(socket_, -1));
    }

    runtime::EpollLoop& loop_;
    Resolver& resolver_;
    std::string address_;
    Transport::OnConnect done_;
    int socket_ = -1;
    std::vector<SocketAddress> ends_;
    runtime::TimerId timer_{};
    std::shared_ptr<std::atomic<bool>> given_up_ = std::make_shared<std::atomic<bool>>(false);
    runtime::Tasks tasks_;
};

class TcpTransport final : public Transport {
public:
    Result<std::unique_ptr<Listener>> listen(runtime::Loop& loop, const std::string& address, ListenOptions options,
                                             OnAccept on_accept) override {
        const auto parts = parse_host_port(address);
        if (!parts) return parts.error();
        auto listener =
            std::make_unique<TcpListener>(static_cast<runtime::EpollLoop&>(loop), options, std::move(on_accept));
        const auto opened = listener->open(*parts);
        if (!opened) return opened.error();
        return std::unique_ptr<Listener>{std::move(listener)};
    }

    void connect(runtime::Loop& loop, const std::string& address, runtime::Duration timeout,
                 OnConnect on_connect) override {
        auto parts = parse_host_port(address);
        if (parts && parts->host == "localhost") parts->host = "127.0.0.1";  // as listeners do
        if (!parts) {
            loop.post([on_connect = std::move(on_connect), error = parts.error()] { on_connect(error); });
            return;
        }
        std::make_shared<Attempt>(static_cast<runtime::EpollLoop&>(loop), resolver_, address, std::move(on_connect))
            ->begin(*parts, timeout);
    }

private:
    Resolver resolver_;
};

}  // namespace

std::unique_ptr<Transport> make_tcp_transport() { return std::make_unique<TcpTransport>(); }

}  // namespace gs::transport
