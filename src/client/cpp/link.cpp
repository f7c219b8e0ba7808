#include "client/cpp/link.hpp"

#include <array>
#include <vector>

#include <asio/connect.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

namespace gs::client::detail {

using asio::ip::tcp;

namespace {

constexpr std::size_t idle_buffer_bytes_max = 64U << 10U;

Error unreachable(const Gateway& gateway, const std::string& why) {
    return {Code::unavailable, "cannot connect to {}:{}: {}", gateway.host, gateway.port, why};
}

}  // namespace

Link::Link(const asio::any_io_executor& executor, LinkOwner& owner)
    : owner_{&owner}, socket_{executor}, timer_{executor} {}

asio::awaitable<Result<void>> Link::connect(Gateway gateway, Duration deadline) {
    const auto self = shared_from_this();
    asio::error_code error;
    std::vector<tcp::endpoint> endpoints;
    const auto address = asio::ip::make_address(gateway.host, error);
    if (!error) {
        endpoints.emplace_back(address, gateway.port);
    } else {
        tcp::resolver resolver{socket_.get_executor()};
        const auto found = co_await resolver.async_resolve(gateway.host, std::to_string(gateway.port),
                                                           asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return unreachable(gateway, error.message());
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    }
    if (owner_ == nullptr) co_return unreachable(gateway, "the client was closed");
    connecting_ = true;
    timer_.expires_after(deadline);
    timer_.async_wait([self](const asio::error_code& stopped) {
        asio::error_code ignored;
        if (!stopped && self->connecting_) self->socket_.close(ignored);
    });
    co_await asio::async_connect(socket_, endpoints, asio::redirect_error(asio::use_awaitable, error));
    connecting_ = false;
    timer_.cancel();
    if (owner_ == nullptr) co_return unreachable(gateway, "the client was closed");
    if (error == asio::error::operation_aborted) error = asio::error::timed_out;
    if (error) co_return unreachable(gateway, error.message());
    co_return Result<void>{};
}

void Link::start() {
    asio::error_code error;
    socket_.set_option(tcp::no_delay{true}, error);
    socket_.non_blocking(true, error);
    if (error) return lost(error.message());
    wait_readable();
}

void Link::wait_readable() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const asio::error_code& error) {
        if (!error) self->readable();
    });
}

void Link::readable() {
    // Shared by all connections of the thread: an idle one holds no buffer.
    static thread_local std::array<std::uint8_t, 65'536> bytes;
    if (owner_ == nullptr) return;
    asio::error_code error;
    const auto count = socket_.read_some(asio::buffer(bytes), error);
    if (error && error != asio::error::would_block)
        return lost(error == asio::error::eof ? "the server closed it" : error.message());
    if (!error) owner_->on_bytes({bytes.data(), count});
    if (owner_ != nullptr) wait_readable();
}

void Link::write(Buffer& output) {
    if (writing_ || output.empty() || owner_ == nullptr) return;
    writing_ = true;
    std::swap(sending_, output);
    asio::async_write(
        socket_, asio::buffer(sending_.data(), sending_.size()),
        [self = shared_from_this()](const asio::error_code& error, std::size_t /*count*/) { self->written(error); });
}

void Link::written(const asio::error_code& error) {
    writing_ = false;
    sending_.clear();
    if (sending_.capacity() > idle_buffer_bytes_max) sending_.release();
    if (owner_ == nullptr) return;
    if (error) return lost(error.message());
    owner_->on_written();
}

void Link::lost(std::string_view why) {
    auto* owner = owner_;
    close();
    if (owner != nullptr) owner->on_lost(why);
}

void Link::close(BytesView last_words) {
    if (owner_ == nullptr) return;
    owner_ = nullptr;
    asio::error_code ignored;
    if (!writing_ && !last_words.empty())
        socket_.write_some(asio::buffer(last_words.data(), last_words.size()), ignored);
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    timer_.cancel();
}

}  // namespace gs::client::detail
