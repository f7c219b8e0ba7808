#include "client/cpp/client.hpp"

#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include "client/cpp/session_keeper.hpp"

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

asio::awaitable<Result<wire::Entered>> Client::connect(std::vector<Gateway> gateways, std::string token) {
    close();
    const auto keeper = std::make_shared<detail::SessionKeeper>(executor_, handlers_, options_, std::move(gateways));
    keeper_ = keeper;
    co_return co_await keeper->open(std::move(token));
}

asio::awaitable<Result<wire::Entered>> Client::connect(std::string host, std::uint16_t port, std::string token) {
    std::vector<Gateway> gateways(1);
    gateways[0].host = std::move(host);
    gateways[0].port = port;
    co_return co_await connect(std::move(gateways), std::move(token));
}

void Client::close() {
    if (keeper_) keeper_->close();
}

bool Client::connected() const { return keeper_ && keeper_->protocol().entered(); }
bool Client::in_session() const { return keeper_ && keeper_->protocol().in_session(); }
Duration Client::rtt() const { return keeper_ ? keeper_->protocol().rtt() : Duration::zero(); }
Protocol* Client::protocol() const { return keeper_ ? &keeper_->protocol() : nullptr; }
void Client::sent() { keeper_->flush_soon(); }

}  // namespace gs::client
