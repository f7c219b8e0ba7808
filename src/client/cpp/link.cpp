#include "client/cpp/link.hpp"

#include <array>
#include <vector>

#include <asio/connect.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

namespace gs::client::detail {

using asio::ip::tcp;

namespace {

constexpr std::size_t idle_buffer_bytes_max = 64U << 10U;

Error unreachable(const std::string& host, std::uint16_t port, const std::string& why) {
    return {Code::unavailable, "cannot connect to {}:{}: {}", host, port, why};
}

}  // namespace

Link::Link(const asio::any_io_executor& executor, std::shared_ptr<Handlers> handlers, const ClientOptions& options)
    : socket_{executor},
      timer_{executor},
      opened_{executor, Time::max()},
      handlers_{std::move(handlers)},
      connect_deadline_{options.connect_deadline},
      protocol_{*this, options.protocol} {}

asio::awaitable<Result<void>> Link::connect(std::string host, std::uint16_t port) {
    asio::error_code error;
    std::vector<tcp::endpoint> endpoints;
    const auto address = asio::ip::make_address(host, error);
    if (!error) {
        endpoints.emplace_back(address, port);
    } else {
        tcp::resolver resolver{socket_.get_executor()};
        const auto found = co_await resolver.async_resolve(host, std::to_string(port),
                                                           asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return unreachable(host, port, error.message());
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    }
    connecting_ = true;
    timer_.expires_after(connect_deadline_);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& stopped) {
        if (!stopped && self->connecting_) self->shut();
    });
    co_await asio::async_connect(socket_, endpoints, asio::redirect_error(asio::use_awaitable, error));
    connecting_ = false;
    timer_.cancel();
    if (protocol_.closed()) co_return Error{Code::unavailable, "the client was closed while it connected"};
    if (error == asio::error::operation_aborted) error = asio::error::timed_out;
    if (error) co_return unreachable(host, port, error.message());
    co_return Result<void>{};
}

asio::awaitable<Result<wire::Entered>> Link::open(std::string host, std::uint16_t port, std::string token) {
    const auto self = shared_from_this();
    const auto connected = co_await connect(std::move(host), port);
    if (!connected) {
        close();
        co_return connected.error();
    }
    start(std::move(token));
    if (!outcome_) {
        asio::error_code woken;
        co_await opened_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    if (!outcome_) co_return Error{Code::unavailable, "the client was closed while it connected"};
    co_return *outcome_;
}

void Link::start(std::string token) {
    asio::error_code error;
    socket_.set_option(tcp::no_delay{true}, error);
    socket_.non_blocking(true, error);
    if (error) {
        protocol_.lost(error.message());
        return;
    }
    protocol_.start(std::move(token), Clock::now());
    wait_readable();
    after_work();
}

void Link::wait_readable() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const asio::error_code& error) {
        if (!error) self->readable();
    });
}

void Link::readable() {
    // Shared by all connections of the thread: an idle one holds no buffer.
    static thread_local std::array<std::uint8_t, 65'536> bytes;
    if (protocol_.closed()) return;
    asio::error_code error;
    const auto count = socket_.read_some(asio::buffer(bytes), error);
    if (error && error != asio::error::would_block) {
        protocol_.lost(error == asio::error::eof ? "the server closed it" : error.message());
        return;
    }
    if (!error) protocol_.receive({bytes.data(), count}, Clock::now());
    if (protocol_.closed()) return;
    after_work();
    wait_readable();
}

void Link::after_work() {
    flush();
    arm_timer();
}

void Link::flush_soon() {
    arm_timer();
    if (flush_posted_ || writing_) return;
    flush_posted_ = true;
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void Link::flush() {
    auto& output = protocol_.output();
    if (writing_ || output.empty() || protocol_.closed()) return;
    writing_ = true;
    std::swap(sending_, output);
    asio::async_write(socket_, asio::buffer(sending_.data(), sending_.size()),
                      [self = shared_from_this()](const asio::error_code& error, std::size_t /*count*/) {
                          self->writing_ = false;
                          self->sending_.clear();
                          if (self->sending_.capacity() > idle_buffer_bytes_max) self->sending_.release();
                          if (error) {
                              self->protocol_.lost(error.message());
                          } else {
                              self->flush();
                          }
                      });
}

void Link::arm_timer() {
    const auto next = protocol_.next_tick();
    if (next >= armed_for_) return;
    armed_for_ = next;
    timer_.expires_at(next);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
        if (error || self->protocol_.closed()) return;  // armed again for an earlier time, or over
        self->armed_for_ = Time::max();
        self->protocol_.tick(Clock::now());
        if (!self->protocol_.closed()) self->after_work();
    });
}

void Link::on_entered(const wire::Entered& entered) {
    outcome_ = entered;
    opened_.cancel();
}

void Link::on_push(Command command, BytesView body) {
    const auto found = handlers_->pushes.find(command);
    if (found == handlers_->pushes.end()) return;
    // A copy, because a handler may replace itself.
    const auto handler = found->second;
    const auto done = handler(body);
    if (!done) protocol_.fail(done.error().message());
}

void Link::on_closed(const wire::Close& close) {
    shut();
    if (!outcome_) {
        outcome_ = Error::verbatim(close.code == Code::ok ? Code::unavailable : close.code, close.reason);
        opened_.cancel();
        return;
    }
    const auto handler = handlers_->closed;
    if (handler) handler(close);
}

void Link::close() {
    asio::error_code ignored;
    auto& output = protocol_.output();
    if (!protocol_.closed() && !writing_ && !output.empty()) {
        socket_.write_some(asio::buffer(output.data(), output.size()), ignored);  // what was sent just before
    }
    protocol_.close();
    shut();
    opened_.cancel();
}

void Link::shut() {
    asio::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    timer_.cancel();
}

}  // namespace gs::client::detail
