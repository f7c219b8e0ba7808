#pragma once
// A layer that speaks TLS as the server. OpenSSL works on memory here: bytes in, bytes out; the one below moves them.
#include <memory>
#include <optional>

#include <openssl/ssl.h>

#include "runtime/loop.hpp"
#include "transport/layer.hpp"
#include "transport/untaken.hpp"

namespace gs::transport {

struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

class TlsConnection final : public Layer,
                            public std::enable_shared_from_this<TlsConnection>,
                            private runtime::EndOfTurn {
public:
    /// `ssl` is set up to accept.
    TlsConnection(runtime::Loop& loop, std::shared_ptr<Connection> below, std::unique_ptr<SSL, SslDeleter> ssl);
    ~TlsConnection() override;

    void start(ConnectionHandler& handler) override;
    Buffer& output() override;
    void send(const SharedBytes& bytes) override { output().append(bytes); }
    [[nodiscard]] std::size_t queued_bytes() const override { return written_.size() + below_->queued_bytes(); }
    void set_reading(bool reading) override;
    void set_background(bool background) override { below_->set_background(background); }
    void close_after_send() override;
    void close() override;
    [[nodiscard]] std::string remote() const override { return below_->remote(); }

    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;

private:
    void end_of_turn() override { flush(); }
    void flush();
    /// What OpenSSL wants to send.
    void move_out();
    /// Appends what it could decrypt; says why there will be no more.
    [[nodiscard]] std::optional<Error> decrypt(Buffer& stream);
    void end(const Error& why);

    runtime::Loop& loop_;
    std::shared_ptr<Connection> below_;
    std::unique_ptr<SSL, SslDeleter> ssl_;
    ConnectionHandler* handler_ = nullptr;
    Buffer written_;  // in this turn, or before hands are shaken
    Untaken untaken_;
    bool reading_ = true, closing_ = false;
};

}  // namespace gs::transport
