#include "tests/sim/client.hpp"

namespace gs::sim {

namespace {
constexpr auto connect_timeout = std::chrono::seconds{3};
}

Client::Client(Network& network, runtime::Loop& loop, std::string host, const std::vector<std::string>& gateways,
               std::uint64_t seed, ClientOwner& owner)
    : network_{network},
      loop_{loop},
      host_{std::move(host)},
      gateways_{gateways},
      random_{seed, host_ + "/reconnect"},
      owner_{owner},
      protocol_{static_cast<client::ProtocolEvents&>(*this)},
      reconnect_{{}, [this] { return random_.unit(); }} {}

void Client::connect(std::size_t gateway, std::string token) {
    open(
        gateway, [this, token = std::move(token)] { protocol_.start(token, loop_.now()); },
        [this](const Error& why) {
            owner_.on_lost({why.code(), why.message(), true});
        });
}

void Client::open(std::size_t gateway, std::function<void()> begin, std::function<void(const Error&)> failed) {
    connecting_ = true;
    gateway_ = gateway;
    const auto connected = [this, attempt = ++attempt_, begin = std::move(begin),
                            failed = std::move(failed)](Result<std::shared_ptr<transport::Connection>> result) {
        if (attempt != attempt_) {
            if (result) (*result)->close();
            return;
        }
        connecting_ = false;
        if (!result) return failed(result.error());
        connection_ = std::move(*result);
        connection_->start(*this);
        begin();
        after_work();
    };
    network_.connect_from(host_, loop_, gateways_[gateway], connect_timeout, connected);
}

void Client::resume_later() {
    const auto next = reconnect_.next(gateways_.size(), loop_.now());
    if (!next) return protocol_.give_up({Code::unavailable, "no gateway resumed the session in time", true});
    connecting_ = true;
    loop_.after(next->wait, [this, attempt = ++attempt_, gateway = next->gateway] {
        if (attempt != attempt_) return;
        open(
            gateway, [this] { protocol_.resume(loop_.now()); }, [this](const Error&) { resume_later(); });
    });
}

void Client::disconnect() {
    ++attempt_;
    connecting_ = is_in_ = false;
    protocol_.close();
    drop_connection();
}

void Client::leave() {
    ++attempt_;
    connecting_ = is_in_ = false;
    protocol_.close();
    if (connection_ != nullptr) {
        connection_->output().append(protocol_.output());
        connection_->close_after_send();
    }
    drop_connection();
}

void Client::drop_connection() {
    loop_.cancel(std::exchange(tick_, runtime::TimerId::none));
    if (std::exchange(enter_sent_, false)) ++enters_lost_;
    if (connection_ == nullptr) return;
    connection_->close();
    connection_.reset();
}

void Client::set_reading(bool reading) {
    if (connection_ != nullptr) connection_->set_reading(reading);
}

std::size_t Client::on_bytes(BytesView bytes) {
    protocol_.receive(bytes, loop_.now());
    after_work();
    return bytes.size();
}

void Client::on_closed(const Error& why) {
    protocol_.lost(why.message());
    after_work();
}

void Client::on_entered(const wire::Entered& /*entered*/) {
    is_in_ = true;
    enter_sent_ = false;
    owner_.on_entered();
}

void Client::on_resumed(const wire::Entered& entered) {
    is_in_ = true;
    enter_sent_ = false;
    owner_.on_resumed(entered.state == wire::SessionState::gap);
}

void Client::on_push(Command command, BytesView body) { owner_.on_push(command, body); }

void Client::on_away(const wire::Close& close) {
    drop_connection();
    if (std::exchange(is_in_, false)) reconnect_.lost(gateway_, loop_.now());
    if (owner_.wants_to_resume(close)) {
        resume_later();
    } else {
        protocol_.give_up(close);
    }
}

void Client::on_closed(const wire::Close& close) {
    ++attempt_;
    connecting_ = is_in_ = false;
    if (close.code == Code::fenced) enter_sent_ = false;  // that was the answer
    drop_connection();
    owner_.on_lost(close);
}

void Client::after_work() {
    if (auto& output = protocol_.output(); connection_ != nullptr && !output.empty()) {
        if (!protocol_.entered()) note_enter(output);
        connection_->output().append(output);
        output.clear();
    }
    const auto next = protocol_.next_tick();
    if (next == client::Time::max() || (tick_ != runtime::TimerId::none && tick_at_ <= next)) return;
    loop_.cancel(tick_);
    tick_at_ = next;
    tick_ = loop_.after(next - loop_.now(), [this] {
        tick_ = runtime::TimerId::none;
        protocol_.tick(loop_.now());
        after_work();
    });
}

void Client::note_enter(BytesView output) {
    const auto cut = wire::cut_frame(output, output.size());
    if (cut.status != wire::FrameCut::Status::frame) return;
    const auto message = wire::parse_message(cut.payload);
    const bool is_request = message.fault == nullptr && message.header.kind == wire::Kind::request;
    if (!is_request || message.header.command != command_of<wire::Enter>) return;
    enter_sent_ = true;
    if (protocol_.in_session()) owner_.on_resume_sent(output.first(cut.consumed()));
}

}  // namespace gs::sim
