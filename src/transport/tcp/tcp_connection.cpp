#include "transport/tcp/tcp_connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "transport/tcp/socket_address.hpp"

namespace gs::transport {

namespace {
constexpr std::size_t gather_max = 16;
constexpr std::size_t early_bytes = 64 * 1024;
constexpr std::size_t background_bytes = 4 * 1024;  // at a time: who is in the background shares little time
constexpr auto linger_max = std::chrono::seconds{1};
}  // namespace

TcpConnection::TcpConnection(runtime::EpollLoop& loop, int socket)
    : EndOfTurn{Phase::send}, loop_{loop}, socket_{socket} {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

TcpConnection::~TcpConnection() { shut(); }

void TcpConnection::start(ConnectionHandler& handler) {
    handler_ = &handler;
    if (socket_ >= 0 && !watched_) watch();
}

Buffer& TcpConnection::output() {
    send_early();
    loop_.at_end_of_turn(*this);
    return out_.tail();
}

void TcpConnection::send(const SharedBytes& bytes) {
    send_early();
    out_.push(bytes);
    loop_.at_end_of_turn(*this);
}

/// In a turn that writes very much, so that what stays queued is what the network does not take. A connection that is
/// found lost here is told at the end of the turn, like every other.
void TcpConnection::send_early() {
    if (watched_ && out_.bytes() > early_bytes) static_cast<void>(send_queued());
}

void TcpConnection::set_reading(bool reading) {
    if (std::exchange(reading_, reading) == reading || !watched_) return;
    watch();
    if (!reading || untaken_.empty()) return;
    loop_.post([self = shared_from_this()] {
        if (self->reading_ && self->handler_ != nullptr && !self->untaken_.empty()) self->deliver({});
    });
}

void TcpConnection::set_background(bool background) {
    may_wait_ = true;
    background_ = background;
    if (watched_ && socket_ >= 0) loop_.poller().move(socket_, background, reading_ || closing_, want_write_);
}

void TcpConnection::watch() {
    const bool reading = reading_ || closing_;
    if (watched_) {
        loop_.poller().change(socket_, reading, want_write_);
        return;
    }
    watched_ = true;
    loop_.poller().add(socket_, {shared_from_this(), static_cast<runtime::Pollable*>(this)}, reading, want_write_,
                       background_);
}

void TcpConnection::on_ready(bool readable, bool writable) {
    const auto keep = shared_from_this();
    if (writable) {
        want_write_ = false;
        watch();
        flush();
    }
    if (readable && socket_ >= 0) read();
}

void TcpConnection::read() {
    if (ended_ != not_ended && !closing_) {
        fail_ended();
        return;
    }
    auto* buffer = loop_.poller().receive_buffer();
    const auto count = ::recv(socket_, buffer, background_ ? background_bytes : runtime::Poller::receive_bytes, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (closing_) {
        // Read and drop until the other side has seen our end: closing with unread bytes would reset the connection and
        // take our last message with it.
        if (count <= 0) shut();
        return;
    }
    if (count > 0) {
        deliver({buffer, static_cast<std::size_t>(count)});
        return;
    }
    ended_ = count == 0 ? 0 : errno;
    // It costs more than to read, and thousands may end at once.
    may_wait_ && !background_ ? set_background(true) : fail_ended();
}

void TcpConnection::fail_ended() {
    if (ended_ == 0) {
        fail({Code::unavailable, "the other side closed the connection"});
    } else {
        fail({Code::unavailable, "the connection was lost: {}", std::strerror(ended_)});
    }
}

void TcpConnection::deliver(BytesView fresh) { untaken_.deliver(handler_, fresh); }

bool TcpConnection::send_queued() {
    while (socket_ >= 0 && !want_write_) {
        BytesView views[gather_max];
        iovec vectors[gather_max];
        const auto count = out_.gather(views, gather_max);
        if (count == 0) break;
        std::size_t total = 0;
        for (std::size_t index = 0; index < count; ++index) {
            vectors[index] = {const_cast<std::uint8_t*>(views[index].data()), views[index].size()};
            total += views[index].size();
        }
        msghdr message{};
        message.msg_iov = vectors;
        message.msg_iovlen = count;
        const auto sent = count == 1 ? ::send(socket_, vectors[0].iov_base, total, MSG_NOSIGNAL)
                                     : ::sendmsg(socket_, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (sent > 0) out_.sent(static_cast<std::size_t>(sent));
        if (sent >= 0 && static_cast<std::size_t>(sent) == total) {
            if (count < gather_max) break;
            continue;
        }
        want_write_ = true;
        watch();
    }
    return true;
}

void TcpConnection::flush() {
    if (ended_ != not_ended && !closing_) return;  // it is told in the background
    if (!send_queued()) {
        fail({Code::unavailable, "the connection was lost: {}", std::strerror(errno)});
        return;
    }
    if (socket_ >= 0 && closing_ && out_.empty()) ::shutdown(socket_, SHUT_WR);
}

void TcpConnection::close_after_send() {
    if (socket_ < 0 || closing_) return;
    closing_ = true;
    handler_ = nullptr;
    watch();
    linger_ = loop_.after(linger_max, [self = shared_from_this()] {
        self->linger_ = {};
        self->shut();
    });
    // The caller may be inside on_bytes of this connection: send at the end of the turn.
    loop_.at_end_of_turn(*this);
}

void TcpConnection::close() {
    handler_ = nullptr;
    shut();
}

void TcpConnection::fail(const Error& why) {
    auto* handler = std::exchange(handler_, nullptr);
    const auto keep = shared_from_this();
    shut();
    if (handler != nullptr) handler->on_closed(why);
}

void TcpConnection::shut() {
    loop_.forget(*this);
    if (socket_ < 0) return;
    // Not destroyed on the spot: whoever closes it may stand further up on its frame.
    if (watched_) loop_.post([keep = loop_.poller().remove(socket_)] {});
    ::close(std::exchange(socket_, -1));
    loop_.cancel(std::exchange(linger_, {}));
    out_.clear();
    // The held bytes stay: the handler may still look at them.
}

std::string TcpConnection::remote() const { return remote_address(socket_).text(); }

}  // namespace gs::transport
