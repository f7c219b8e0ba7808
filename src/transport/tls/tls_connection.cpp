#include "transport/tls/tls_connection.hpp"

#include <openssl/err.h>

#include <array>

#include "transport/out_queue.hpp"

namespace gs::transport {

namespace {

constexpr std::size_t record_bytes = 16 * 1024;

std::string why_ssl_failed() {
    const auto code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "unknown" : reason;
}

}  // namespace

TlsConnection::TlsConnection(runtime::Loop& loop, std::shared_ptr<Connection> below,
                             std::unique_ptr<SSL, SslDeleter> ssl)
    : EndOfTurn{Phase::send}, loop_{loop}, below_{std::move(below)}, ssl_{std::move(ssl)} {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
}

TlsConnection::~TlsConnection() {
    loop_.forget(*this);
    if (!closing_) below_->close();  // else it lingers until all is sent
}

void TlsConnection::start(ConnectionHandler& handler) {
    handler_ = &handler;
    below_->start(*this);
}

Buffer& TlsConnection::output() {
    loop_.at_end_of_turn(*this);
    if (written_.capacity() == 0) written_ = take_buffer();
    return written_;
}

void TlsConnection::flush() {
    if (written_.empty() || SSL_is_init_finished(ssl_.get()) == 0) return;
    // Into memory it is always written whole.
    for (auto rest = written_.view(); !rest.empty();) {
        const auto slice = rest.first(std::min(rest.size(), record_bytes));
        static_cast<void>(SSL_write(ssl_.get(), slice.data(), static_cast<int>(slice.size())));
        rest = rest.subspan(slice.size());
        move_out();
    }
    ERR_clear_error();
    give_back(std::exchange(written_, Buffer{}));
}

void TlsConnection::move_out() {
    auto* out = SSL_get_wbio(ssl_.get());
    while (BIO_ctrl_pending(out) > 0) {
        auto& output = below_->output();
        const auto size = static_cast<int>(BIO_ctrl_pending(out));
        BIO_read(out, output.extend(static_cast<std::size_t>(size)), size);
    }
}

void TlsConnection::set_reading(bool reading) {
    reading_ = reading;
    below_->set_reading(reading);
    if (!reading || untaken_.empty()) return;
    loop_.post([self = shared_from_this()] {
        if (self->reading_ && self->handler_ != nullptr && !self->untaken_.empty())
            self->untaken_.deliver(self->handler_, {});
    });
}

std::size_t TlsConnection::on_bytes(BytesView bytes) {
    const auto keep = shared_from_this();
    auto stream = take_buffer();
    std::optional<Error> over;
    // In slices: OpenSSL's memory keeps the size that it once had.
    for (auto rest = bytes; !rest.empty() && !over;) {
        const auto slice = rest.first(std::min(rest.size(), record_bytes));
        BIO_write(SSL_get_rbio(ssl_.get()), slice.data(), static_cast<int>(slice.size()));
        rest = rest.subspan(slice.size());
        over = decrypt(stream);
        move_out();
    }
    if (!over && !written_.empty()) loop_.at_end_of_turn(*this);  // hands may be shaken now
    if (!stream.empty() && handler_ != nullptr) untaken_.deliver(handler_, stream);
    give_back(std::move(stream));
    if (over && !closing_) end(*over);
    return bytes.size();
}

std::optional<Error> TlsConnection::decrypt(Buffer& stream) {
    ERR_clear_error();
    for (;;) {
        const auto before = stream.size();
        const int got = SSL_read(ssl_.get(), stream.extend(record_bytes), static_cast<int>(record_bytes));
        stream.resize_down(before + static_cast<std::size_t>(std::max(got, 0)));
        if (got > 0) continue;
        const int error = SSL_get_error(ssl_.get(), got);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return {};
        if (error == SSL_ERROR_ZERO_RETURN) return Error{Code::unavailable, "the other side closed the connection"};
        return Error{Code::invalid, "it broke the rules of TLS: {}", why_ssl_failed()};
    }
}

void TlsConnection::end(const Error& why) {
    closing_ = true;
    auto* handler = std::exchange(handler_, nullptr);
    below_->close_after_send();
    if (handler != nullptr) handler->on_closed(why);
}

void TlsConnection::on_closed(const Error& why) {
    const auto keep = shared_from_this();
    closing_ = true;
    if (auto* handler = std::exchange(handler_, nullptr)) handler->on_closed(why);
}

void TlsConnection::close_after_send() {
    if (std::exchange(closing_, true)) return;
    handler_ = nullptr;
    flush();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    move_out();
    below_->close_after_send();
}

void TlsConnection::close() {
    loop_.forget(*this);
    closing_ = true;
    handler_ = nullptr;
    below_->close();
    give_back(std::exchange(written_, Buffer{}));
}

}  // namespace gs::transport
