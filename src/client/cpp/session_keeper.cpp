#include "client/cpp/session_keeper.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

namespace gs::client::detail {

namespace {

bool another_gateway_may_help(Code code) {
    return code == Code::unavailable || code == Code::busy || code == Code::limited || code == Code::deadline;
}

Error closed_meanwhile() { return {Code::unavailable, "the client was closed while it connected"}; }

}  // namespace

SessionKeeper::SessionKeeper(asio::any_io_executor executor, std::shared_ptr<Handlers> handlers, ClientOptions options,
                             std::vector<Gateway> gateways)
    : executor_{std::move(executor)},
      handlers_{std::move(handlers)},
      options_{std::move(options)},
      gateways_{std::move(gateways)},
      reconnect_{options_.reconnect, [this] { return std::uniform_real_distribution<double>{}(random_); }},
      protocol_{*this, options_.protocol},
      tick_{executor_},
      pause_{executor_},
      settled_{executor_, Time::max()} {}

asio::awaitable<Result<wire::Entered>> SessionKeeper::open(std::string token) {
    const auto self = shared_from_this();
    Result<wire::Entered> result = Error{Code::invalid, "there is no gateway to connect to"};
    for (std::size_t gateway = 0; gateway < gateways_.size(); ++gateway) {
        auto entered = co_await enter(gateway, token);
        result = std::move(entered);
        if (result || closed_ || !another_gateway_may_help(result.error().code())) break;
    }
    if (!result) close();
    co_return result;
}

asio::awaitable<Result<wire::Entered>> SessionKeeper::enter(std::size_t gateway, std::string token) {
    const auto connected = co_await connect(gateway);
    if (closed_) co_return closed_meanwhile();
    if (!connected) co_return connected.error();
    is_settled_ = false;
    protocol_.trust(gateways_[gateway].roots);
    protocol_.start(std::move(token), Clock::now());
    link_->start();
    after_work();
    co_await until_settled();
    if (!outcome_ || closed_) co_return closed_meanwhile();
    co_return *outcome_;
}

asio::awaitable<Result<void>> SessionKeeper::connect(std::size_t gateway) {
    drop_link();
    gateway_ = gateway;
    auto link = std::make_shared<Link>(executor_, static_cast<LinkOwner&>(*this));
    link_ = link;
    const auto deadline = options_.connect_deadline;
    auto where = gateways_[gateway];
    auto connected = co_await link->connect(std::move(where), deadline);
    if (!connected) drop_link();
    co_return connected;
}

asio::awaitable<void> SessionKeeper::come_back(std::shared_ptr<SessionKeeper> self) {
    while (self->protocol_.away()) {
        const auto attempt = reconnect_.next(gateways_.size(), Clock::now());
        if (!attempt) {
            protocol_.give_up({Code::unavailable, "no gateway resumed the session in time", true});
            break;
        }
        asio::error_code woken;
        pause_.expires_after(attempt->wait);
        co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        if (!protocol_.away()) break;
        const auto gateway = attempt->gateway;
        const auto connected = co_await connect(gateway);
        if (!connected || !protocol_.away()) continue;
        is_settled_ = false;
        protocol_.trust(gateways_[gateway].roots);
        protocol_.resume(Clock::now());
        link_->start();
        after_work();
        co_await until_settled();
    }
    returning_ = false;
}

asio::awaitable<void> SessionKeeper::until_settled() {
    if (is_settled_) co_return;
    asio::error_code woken;
    co_await settled_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void SessionKeeper::settle() {
    is_settled_ = true;
    settled_.cancel();
}

// --- what happens ----------------------------------------------------------------------------------------------------

void SessionKeeper::on_entered(const wire::Entered& entered) {
    was_in_ = is_in_ = true;
    outcome_ = entered;
    settle();
}

void SessionKeeper::on_queued(const wire::Queued& queued) {
    if (handlers_->queued) handlers_->queued(queued);
}

void SessionKeeper::on_resumed(const wire::Entered& entered) {
    is_in_ = true;
    settle();
    const auto handler = handlers_->resumed;
    if (handler) handler(entered.state == wire::SessionState::gap);
}

void SessionKeeper::on_push(Command command, BytesView body) {
    const auto found = handlers_->pushes.find(command);
    if (found == handlers_->pushes.end()) return;
    // A copy, because a handler may replace itself.
    const auto handler = found->second;
    const auto done = handler(body);
    if (!done) protocol_.fail(done.error().message());
}

void SessionKeeper::on_away(const wire::Close& close) {
    drop_link();
    if (!options_.resumes) return protocol_.give_up(close);
    settle();
    if (std::exchange(is_in_, false)) {
        reconnect_.lost(gateway_, Clock::now());
        const auto handler = handlers_->away;
        if (handler) handler(close);
    }
    if (!protocol_.away()) return;  // closed by the handler
    arm_timer();
    if (std::exchange(returning_, true)) return;
    asio::co_spawn(executor_, come_back(shared_from_this()), [](const std::exception_ptr& failure) {
        if (failure) std::rethrow_exception(failure);
    });
}

void SessionKeeper::on_closed(const wire::Close& close) {
    drop_link();
    disarm_timer();
    pause_.cancel();
    settle();
    if (!was_in_) {
        outcome_ = Error::verbatim(close.code == Code::ok ? Code::unavailable : close.code, close.reason);
        return;
    }
    const auto handler = handlers_->closed;
    if (handler) handler(close);
}

void SessionKeeper::on_bytes(BytesView bytes) {
    protocol_.receive(bytes, Clock::now());
    after_work();
}

void SessionKeeper::on_written() { flush(); }

void SessionKeeper::on_lost(std::string_view why) { protocol_.lost(why); }

void SessionKeeper::close() {
    if (std::exchange(closed_, true)) return;
    protocol_.close();
    if (link_) link_->close(protocol_.output());
    link_.reset();
    disarm_timer();
    pause_.cancel();
    settle();
}

void SessionKeeper::drop_link() {
    if (link_) link_->close();
    link_.reset();
}

// --- bytes and time --------------------------------------------------------------------------------------------------

void SessionKeeper::after_work() {
    flush();
    arm_timer();
}

void SessionKeeper::flush() {
    if (link_ && !protocol_.away() && !protocol_.closed()) link_->write(protocol_.output());
}

void SessionKeeper::flush_soon() {
    arm_timer();
    if (flush_posted_) return;
    flush_posted_ = true;
    asio::post(executor_, [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void SessionKeeper::arm_timer() {
    const auto next = protocol_.next_tick();
    if (next >= armed_for_) return;
    armed_for_ = next;
    tick_.expires_at(next);
    tick_.async_wait([self = shared_from_this()](const asio::error_code& error) {
        if (error) return;  // armed again for an earlier time, or disarmed
        self->armed_for_ = Time::max();
        if (self->protocol_.closed()) return;
        self->protocol_.tick(Clock::now());
        if (!self->protocol_.closed()) self->after_work();
    });
}

void SessionKeeper::disarm_timer() {
    tick_.cancel();
    armed_for_ = Time::max();
}

}  // namespace gs::client::detail
