#include "transport/tcp/tcp_connection.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <fmt/format.h>

namespace gs::transport {

namespace {
constexpr std::size_t gather_max = 64;
constexpr std::uint8_t small_reads_until_idle = 16;
constexpr auto linger_max = std::chrono::seconds{1};
}  // namespace

TcpConnection::TcpConnection(runtime::AsioLoop& loop, Socket socket, std::size_t read_bytes)
    : loop_{loop}, socket_{std::move(socket)}, large_bytes_{static_cast<std::uint32_t>(read_bytes)} {
    asio::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
    socket_.set_option(asio::socket_base::keep_alive{true}, ignored);
    socket_.non_blocking(true, ignored);
}

TcpConnection::~TcpConnection() { shut(); }

void TcpConnection::start(ConnectionHandler& handler) {
    handler_ = &handler;
    read();
}

Buffer& TcpConnection::output() {
    loop_.at_end_of_turn(*this);
    return out_.tail();
}

void TcpConnection::send(const SharedBytes& bytes) {
    out_.push(bytes);
    loop_.at_end_of_turn(*this);
}

void TcpConnection::set_reading(bool reading) {
    reading_ = reading;
    if (reading) read();
}

void TcpConnection::read() {
    if (!(reading_ || closing_) || read_pending_ || !open_) return;
    read_pending_ = true;
    auto* at = large_.capacity() > 0 ? large_.data() : small_.data();
    const auto size = large_.capacity() > 0 ? large_.capacity() : idle_bytes;
    socket_.async_read_some(asio::buffer(at + held_, size - held_),
                            [self = shared_from_this()](const asio::error_code& error, std::size_t count) {
                                self->on_read(error, count);
                            });
}

void TcpConnection::on_read(const asio::error_code& error, std::size_t count) {
    read_pending_ = false;
    if (!open_) return;
    if (closing_) {
        // Read and drop until the other side has seen our end: closing with unread bytes would reset the connection and
        // take our last message with it.
        held_ = 0;
        error ? shut() : read();
        return;
    }
    if (error) {
        if (error == asio::error::operation_aborted) return;
        fail(error == asio::error::eof ? Error{Code::unavailable, "the other side closed the connection"}
                                       : Error{Code::unavailable, "the connection was lost: {}", error.message()});
        return;
    }
    const auto room = (large_.capacity() > 0 ? large_.capacity() : idle_bytes) - held_;
    held_ += static_cast<std::uint32_t>(count);
    deliver();
    if (!open_ || closing_) return;
    make_room(count == room, count);
    read();
}

void TcpConnection::deliver() {
    auto* at = large_.capacity() > 0 ? large_.data() : small_.data();
    const auto taken = handler_->on_bytes({at, held_});
    if (!open_ || closing_) return;
    held_ -= static_cast<std::uint32_t>(taken);
    if (taken > 0 && held_ > 0) std::memmove(at, at + taken, held_);
}

void TcpConnection::make_room(bool filled, std::size_t count) {
    const auto capacity = large_.capacity() > 0 ? large_.capacity() : idle_bytes;
    if (filled && (large_.capacity() == 0 || held_ > capacity / 2)) {
        // The handler bounds frames, and with them what is held here.
        Buffer larger;
        larger.reserve(large_.capacity() == 0 ? large_bytes_ : capacity * 2);
        std::memcpy(larger.data(), large_.capacity() > 0 ? large_.data() : small_.data(), held_);
        large_ = std::move(larger);
        small_reads_ = 0;
    } else if (large_.capacity() > 0 && held_ == 0) {
        small_reads_ = count < idle_bytes ? static_cast<std::uint8_t>(small_reads_ + 1) : 0;
        if (small_reads_ >= small_reads_until_idle) large_.release();
    }
}

void TcpConnection::flush() {
    while (open_ && !write_pending_) {
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
        const auto sent = count == 1 ? ::send(socket_.native_handle(), vectors[0].iov_base, total, MSG_NOSIGNAL)
                                     : ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
        if (sent >= 0) {
            out_.sent(static_cast<std::size_t>(sent));
            if (static_cast<std::size_t>(sent) == total) continue;
        } else if (errno != EAGAIN && errno != EINTR) {
            fail({Code::unavailable, "the connection was lost: {}", std::strerror(errno)});
            return;
        }
        wait_writable();
    }
    if (open_ && closing_ && out_.empty()) {
        asio::error_code ignored;
        socket_.shutdown(asio::socket_base::shutdown_send, ignored);
        read();
    }
}

void TcpConnection::wait_writable() {
    write_pending_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const asio::error_code& error) {
        self->write_pending_ = false;
        if (!error) self->flush();
    });
}

void TcpConnection::close_after_send() {
    if (!open_ || closing_) return;
    closing_ = true;
    handler_ = nullptr;
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
    const auto self = shared_from_this();
    shut();
    if (handler != nullptr) handler->on_closed(why);
}

void TcpConnection::shut() {
    loop_.forget(*this);
    if (!open_) return;
    open_ = false;
    loop_.cancel(std::exchange(linger_, {}));
    asio::error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_both, ignored);
    socket_.close(ignored);
    out_.clear();
    // Not the read buffer: the handler may still look at it, further up the stack.
}

std::string TcpConnection::remote() const {
    asio::error_code error;
    const auto end = socket_.remote_endpoint(error);
    if (error) return "unknown";
    return end.address().is_v6() ? fmt::format("[{}]:{}", end.address().to_string(), end.port())
                                 : fmt::format("{}:{}", end.address().to_string(), end.port());
}

}  // namespace gs::transport
