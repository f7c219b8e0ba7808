#include "transport/secure/secure_connection.hpp"

#include "transport/out_queue.hpp"

namespace gs::transport {

using wire::noise::RecordReader;

namespace {
// A turn that writes more hands it on, so that what stays queued is what the network does not take.
constexpr std::size_t early_bytes = 64 * 1024;
}  // namespace

SecureConnection::SecureConnection(runtime::Loop& loop, std::shared_ptr<Connection> inner, wire::noise::Records records,
                                   std::size_t record_bytes_max)
    : EndOfTurn{Phase::send},
      loop_{loop},
      inner_{std::move(inner)},
      records_{std::move(records)},
      record_bytes_max_{record_bytes_max} {}

SecureConnection::~SecureConnection() {
    if (open_) inner_->close();
    shut();
}

void SecureConnection::start(ConnectionHandler& handler) {
    handler_ = &handler;
    inner_->start(*this);
}

// --- writing ---------------------------------------------------------------------------------------------------------

Buffer& SecureConnection::output() {
    if (held_.size() > early_bytes) flush();
    // The inner connection asks for its own end of turn when this one writes to it, so it comes after.
    loop_.at_end_of_turn(*this);
    if (held_.capacity() == 0) held_ = take_buffer();
    return held_;
}

void SecureConnection::send(const SharedBytes& bytes) { output().append(bytes); }

void SecureConnection::flush() {
    if (!open_) return;
    if (!held_.empty() && !records_.writer.write(held_, inner_->output())) {
        fail({Code::internal, "the connection has encrypted all that its keys are good for"});
        return;
    }
    give_back(std::exchange(held_, Buffer{}));
}

// --- reading ---------------------------------------------------------------------------------------------------------

std::size_t SecureConnection::on_bytes(BytesView bytes) {
    const auto keep = shared_from_this();
    if (!reading_) return 0;
    if (plain_.capacity() == 0) plain_ = take_buffer();
    auto status = RecordReader::Status::record;
    std::size_t taken = 0;
    while (status == RecordReader::Status::record) {
        const auto read = records_.reader.read(bytes.subspan(taken), plain_, record_bytes_max_);
        status = read.status;
        taken += read.consumed;
    }
    half_a_record_ = status == RecordReader::Status::incomplete && taken < bytes.size();
    deliver();
    if (handler_ == nullptr) return bytes.size();
    if (status == RecordReader::Status::broken) {
        fail({Code::invalid, "what the other side sent is not what it encrypted"});
        return bytes.size();
    }
    if (status == RecordReader::Status::end) {
        fail({Code::unavailable, "the other side closed the connection"});
        return bytes.size();
    }
    return taken;
}

void SecureConnection::deliver() {
    if (!plain_.empty()) {
        const auto taken = handler_->on_bytes(plain_);
        plain_.consume(handler_ == nullptr ? plain_.size() : taken);
    }
    if (plain_.empty()) give_back(std::exchange(plain_, Buffer{}));
}

void SecureConnection::set_reading(bool reading) {
    reading_ = reading;
    inner_->set_reading(reading);
    if (!reading || plain_.empty()) return;
    loop_.post([self = shared_from_this()] {
        if (self->reading_ && self->handler_ != nullptr) self->deliver();
    });
}

// --- the end ---------------------------------------------------------------------------------------------------------

void SecureConnection::on_closed(const Error& why) {
    const bool is_cut = !records_.reader.ended();
    auto* handler = std::exchange(handler_, nullptr);
    shut();
    if (handler == nullptr) return;
    is_cut ? handler->on_closed({why.code(), "the connection was cut; {}", why.message()}) : handler->on_closed(why);
}

void SecureConnection::fail(const Error& why) {
    auto* handler = std::exchange(handler_, nullptr);
    const auto keep = shared_from_this();
    inner_->close();
    shut();
    if (handler != nullptr) handler->on_closed(why);
}

void SecureConnection::close_after_send() {
    if (!open_) return;
    handler_ = nullptr;
    flush();
    if (open_) static_cast<void>(records_.writer.write_end(inner_->output()));
    if (open_) inner_->close_after_send();
    shut();
}

void SecureConnection::close() {
    handler_ = nullptr;
    if (open_) inner_->close();
    shut();
}

void SecureConnection::shut() {
    open_ = false;
    loop_.forget(*this);
    give_back(std::exchange(held_, Buffer{}));
    // Plaintext stays: the handler may still look at it.
}

}  // namespace gs::transport
