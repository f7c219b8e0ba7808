#include "transport/websocket/websocket_connection.hpp"

#include "base/crypto/crypto.hpp"
#include "transport/out_queue.hpp"

namespace gs::transport {

namespace websocket = wire::websocket;
using websocket::Opcode;

namespace {
// Whoever pings and does not read gets no more answers than fit here.
constexpr std::size_t pong_queue_bytes_max = 16 * 1024;
}  // namespace

std::shared_ptr<Layer> accept_websocket(runtime::Loop& loop, std::shared_ptr<Connection> below) {
    return std::make_shared<WebSocketConnection>(loop, std::move(below), std::string{});
}

std::shared_ptr<Layer> connect_websocket(runtime::Loop& loop, std::shared_ptr<Connection> below,
                                         const std::string& host) {
    return std::make_shared<WebSocketConnection>(loop, std::move(below), host);
}

WebSocketConnection::WebSocketConnection(runtime::Loop& loop, std::shared_ptr<Connection> below, std::string host)
    : EndOfTurn{Phase::send},
      loop_{loop},
      below_{std::move(below)},
      reader_{host.empty()},
      host_{std::move(host)},
      is_client_{!host_.empty()} {}

WebSocketConnection::~WebSocketConnection() {
    loop_.forget(*this);
    if (!closing_) below_->close();  // else it lingers until all is sent
}

void WebSocketConnection::start(ConnectionHandler& handler) {
    handler_ = &handler;
    below_->start(*this);
    if (!is_client_ || !key_.empty()) return;
    key_ = websocket::make_key();
    websocket::write_upgrade(below_->output(), host_, key_);
}

Buffer& WebSocketConnection::output() {
    loop_.at_end_of_turn(*this);
    if (written_.capacity() == 0) written_ = take_buffer();
    return written_;
}

void WebSocketConnection::send(const SharedBytes& bytes) {
    if (!is_open_ || is_client_) {
        output().append(bytes);
        return;
    }
    flush();
    websocket::write_frame_header(below_->output(), Opcode::binary, bytes.size());
    below_->send(bytes);
}

void WebSocketConnection::flush() {
    if (!is_open_ || written_.empty()) return;
    write(Opcode::binary, written_);
    give_back(std::exchange(written_, Buffer{}));
}

void WebSocketConnection::write(Opcode opcode, BytesView payload) {
    websocket::write_frame(below_->output(), opcode, payload, mask());
}

std::optional<websocket::Mask> WebSocketConnection::mask() const {
    if (!is_client_) return {};
    websocket::Mask bytes;
    fill_random(bytes);
    return bytes;
}

void WebSocketConnection::set_reading(bool reading) {
    reading_ = reading;
    below_->set_reading(reading);
    if (!reading || untaken_.empty()) return;
    loop_.post([self = shared_from_this()] {
        if (self->reading_ && self->handler_ != nullptr && !self->untaken_.empty())
            self->untaken_.deliver(self->handler_, {});
    });
}

std::size_t WebSocketConnection::on_bytes(BytesView bytes) {
    const auto keep = shared_from_this();
    std::size_t taken = 0;
    if (!is_open_) taken = shake_hands(bytes);
    if (closing_) return bytes.size();
    if (!is_open_) return taken;
    take_frames(bytes.subspan(taken));
    return bytes.size();
}

std::size_t WebSocketConnection::shake_hands(BytesView bytes) {
    if (is_client_) {
        const auto size = websocket::read_upgrade_answer(bytes, key_);
        if (!size) {
            end(size.error());
            return bytes.size();
        }
        is_open_ = *size > 0;
        if (is_open_) loop_.at_end_of_turn(*this);
        return *size;
    }
    const auto upgrade = websocket::read_upgrade(bytes);
    if (upgrade.refusal != 0) {
        websocket::write_refusal(below_->output(), upgrade.refusal, upgrade.reason);
        end({Code::invalid, "no WebSocket: {}", upgrade.reason});
        return bytes.size();
    }
    if (upgrade.consumed == 0) return 0;
    websocket::write_upgrade_answer(below_->output(), upgrade.key);
    is_open_ = true;
    return upgrade.consumed;
}

void WebSocketConnection::take_frames(BytesView bytes) {
    auto stream = take_buffer();
    const auto found = reader_.read(bytes, stream);
    if (!stream.empty() && handler_ != nullptr) untaken_.deliver(handler_, stream);
    give_back(std::move(stream));
    if (closing_) return;
    if (found.ping && below_->queued_bytes() <= pong_queue_bytes_max) write(Opcode::pong, *found.ping);
    if (!found.close) return;
    flush();
    const auto& close = *found.close;
    websocket::write_close(below_->output(), close.code, close.is_fault ? close.reason : "", mask());
    if (close.is_fault) {
        end({Code::invalid, "it broke the rules of WebSocket: {}", close.reason});
    } else {
        end({Code::unavailable, "the other side closed the connection"});
    }
}

void WebSocketConnection::end(const Error& why) {
    closing_ = true;
    auto* handler = std::exchange(handler_, nullptr);
    below_->close_after_send();
    if (handler != nullptr) handler->on_closed(why);
}

void WebSocketConnection::on_closed(const Error& why) {
    const auto keep = shared_from_this();
    closing_ = true;
    if (auto* handler = std::exchange(handler_, nullptr)) handler->on_closed(why);
}

void WebSocketConnection::close_after_send() {
    if (std::exchange(closing_, true)) return;
    handler_ = nullptr;
    if (is_open_) {
        flush();
        websocket::write_close(below_->output(), websocket::status::normal, {}, mask());
    } else if (!is_client_) {
        websocket::write_refusal(below_->output(), 503, "This gateway takes no connection right now; try again.");
    }
    below_->close_after_send();
}

void WebSocketConnection::close() {
    loop_.forget(*this);
    closing_ = true;
    handler_ = nullptr;
    below_->close();
    give_back(std::exchange(written_, Buffer{}));
}

}  // namespace gs::transport
