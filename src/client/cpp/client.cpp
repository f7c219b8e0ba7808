#include "client/cpp/client.hpp"

#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include "client/cpp/link.hpp"

namespace gs::client {

namespace detail {

asio::awaitable<void> AwaitedReply::arrival(std::shared_ptr<AwaitedReply> reply) {
    if (reply->arrived_) co_return;
    asio::error_code woken;
    co_await reply->arrival_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void AwaitedReply::arrived() {
    arrived_ = true;
    arrival_.cancel();
}

}  // namespace detail

Client::Client(asio::any_io_executor executor, ClientOptions options)
    : executor_{std::move(executor)}, options_{std::move(options)} {}

Client::~Client() { close(); }

asio::awaitable<Result<wire::Entered>> Client::connect(std::string host, std::uint16_t port, std::string token) {
    close();
    const auto link = std::make_shared<detail::Link>(executor_, handlers_, options_);
    link_ = link;
    co_return co_await link->open(std::move(host), port, std::move(token));
}

void Client::close() {
    if (link_) link_->close();
}

bool Client::connected() const { return link_ && link_->protocol().entered(); }
Duration Client::rtt() const { return link_ ? link_->protocol().rtt() : Duration::zero(); }
Protocol* Client::protocol() const { return link_ ? &link_->protocol() : nullptr; }
void Client::sent() { link_->flush_soon(); }

}  // namespace gs::client
