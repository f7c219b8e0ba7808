#include "client/cpp/blocking.hpp"

#include <asio/co_spawn.hpp>

namespace gs::client {

namespace {
asio::awaitable<void> connect_into(Client& client, std::vector<Gateway> gateways, std::string token,
                                   Result<wire::Entered>& result) {
    auto entered = co_await client.connect(std::move(gateways), std::move(token));
    result = std::move(entered);
}
}  // namespace

Result<wire::Entered> BlockingClient::connect(std::string host, std::uint16_t port, std::string token) {
    return connect({{{}, std::move(host), port, 0}}, std::move(token));
}

Result<wire::Entered> BlockingClient::connect(std::vector<Gateway> gateways, std::string token) {
    Result<wire::Entered> result = Error{Code::unavailable, "not connected"};
    bool done = false;
    asio::co_spawn(io_, connect_into(client_, std::move(gateways), std::move(token), result),
                   [&](const std::exception_ptr& failure) {
                       done = true;
                       if (failure) std::rethrow_exception(failure);
                   });
    run_until(done);
    return result;
}

void BlockingClient::run_until(const bool& done) {
    io_.restart();
    while (!done && io_.run_one() > 0) {
    }
}

void BlockingClient::poll(Duration time) {
    io_.restart();
    io_.run_for(time);
}

}  // namespace gs::client
