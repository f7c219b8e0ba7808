#include "tests/sim/client.hpp"

namespace gs::sim {

namespace {
constexpr auto connect_timeout = std::chrono::seconds{3};
}

Client::Client(Network& network, runtime::Loop& loop, std::string host, ClientOwner& owner)
    : network_{network}, loop_{loop}, host_{std::move(host)}, owner_{owner} {}

void Client::connect(const std::string& address, std::string token) {
    connecting_ = true;
    network_.connect_from(
        host_, loop_, address, connect_timeout,
        [this, attempt = ++attempt_, token = std::move(token)](Result<std::shared_ptr<transport::Connection>> result) {
            if (attempt == attempt_) {
                connected(std::move(result), token);
            } else if (result) {
                (*result)->close();
            }
        });
}

void Client::connected(Result<std::shared_ptr<transport::Connection>> result, std::string token) {
    connecting_ = false;
    if (!result) {
        owner_.on_lost({result.error().code(), result.error().message(), true});
        return;
    }
    connection_ = std::move(*result);
    protocol_ = std::make_unique<client::Protocol>(static_cast<client::ProtocolEvents&>(*this));
    connection_->start(*this);
    protocol_->start(std::move(token), loop_.now());
    after_work();
}

void Client::disconnect() {
    ++attempt_;
    connecting_ = false;
    if (protocol_ != nullptr) protocol_->close();
    drop_connection();
}

void Client::drop_connection() {
    loop_.cancel(std::exchange(tick_, runtime::TimerId::none));
    if (connection_ == nullptr) return;
    connection_->close();
    connection_.reset();
}

void Client::set_reading(bool reading) {
    if (connection_ != nullptr) connection_->set_reading(reading);
}

std::size_t Client::on_bytes(BytesView bytes) {
    protocol_->receive(bytes, loop_.now());
    after_work();
    return bytes.size();
}

void Client::on_closed(const Error& why) { protocol_->lost(why.message()); }

void Client::on_entered(const wire::Entered& /*entered*/) { owner_.on_entered(); }

void Client::on_push(Command command, BytesView body) { owner_.on_push(command, body); }

void Client::on_closed(const wire::Close& close) {
    drop_connection();
    owner_.on_lost(close);
}

void Client::after_work() {
    if (connection_ == nullptr || protocol_->closed()) return;
    if (auto& output = protocol_->output(); !output.empty()) {
        connection_->output().append(output);
        output.clear();
    }
    const auto next = protocol_->next_tick();
    if (next == client::Time::max() || (tick_ != runtime::TimerId::none && tick_at_ <= next)) return;
    loop_.cancel(tick_);
    tick_at_ = next;
    tick_ = loop_.after(next - loop_.now(), [this] {
        tick_ = runtime::TimerId::none;
        protocol_->tick(loop_.now());
        after_work();
    });
}

}  // namespace gs::sim
