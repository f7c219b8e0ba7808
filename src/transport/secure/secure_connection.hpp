#pragma once
// A layer whose two directions are records (wire/noise/record.hpp), from the first byte behind the handshake on. What a
// turn writes is held here and encrypted at its end, so a shared broadcast is encoded once and encrypted for each
// receiver. Idle, it holds no buffer.
// Owner, loop: as of every Connection; the inner one belongs to it. Errors: on_closed says "cut" when the other side
// ended without the record that ends the stream. A record that is not authentic ends the connection, unanswered.
#include "transport/layer.hpp"
#include "wire/noise/secure_hello.hpp"

namespace gs::transport {

class SecureConnection final : public Layer,
                               public std::enable_shared_from_this<SecureConnection>,
                               private runtime::EndOfTurn {
public:
    /// A record with more than `record_bytes_max` of plaintext is refused.
    SecureConnection(runtime::Loop& loop, std::shared_ptr<Connection> inner, wire::noise::Records records,
                     std::size_t record_bytes_max);
    ~SecureConnection() override;

    void set_record_bytes_max(std::size_t bytes) { record_bytes_max_ = bytes; }
    /// A record was begun and is not whole yet.
    [[nodiscard]] bool holds_half_a_record() const { return half_a_record_; }

    void start(ConnectionHandler& handler) override;
    Buffer& output() override;
    void send(const SharedBytes& bytes) override;
    [[nodiscard]] std::size_t queued_bytes() const override { return inner_->queued_bytes() + held_.size(); }
    void set_reading(bool reading) override;
    void set_background(bool background) override { inner_->set_background(background); }
    void close_after_send() override;
    void close() override;
    [[nodiscard]] std::string remote() const override { return inner_->remote(); }

    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;

private:
    void end_of_turn() override { flush(); }
    void deliver();
    void flush();
    void fail(const Error& why);
    void shut();

    runtime::Loop& loop_;
    std::shared_ptr<Connection> inner_;
    ConnectionHandler* handler_ = nullptr;
    wire::noise::Records records_;
    std::size_t record_bytes_max_;
    Buffer held_;   // written in this turn
    Buffer plain_;  // decrypted, and not taken by the handler yet
    bool reading_ = true, open_ = true, half_a_record_ = false;
};

}  // namespace gs::transport
