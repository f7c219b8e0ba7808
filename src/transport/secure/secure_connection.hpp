#pragma once
// A connection over another one that can begin to encrypt: before secure() bytes pass as they are, from then on both
// directions are records (wire/noise/record.hpp). What a turn writes is held here and encrypted at its end, so a shared
// broadcast is encoded once and encrypted for each receiver. Idle, it holds no buffer.
// Owner, loop: as of every Connection; the inner one belongs to it. Errors: on_closed says "cut" when the other side
// ended without the record that ends the stream. A record that is not authentic ends the connection, unanswered.
#include <optional>

#include "transport/transport.hpp"
#include "wire/noise/secure_hello.hpp"

namespace gs::transport {

class SecureConnection final : public Connection,
                               public std::enable_shared_from_this<SecureConnection>,
                               private ConnectionHandler,
                               private runtime::EndOfTurn {
public:
    SecureConnection(runtime::Loop& loop, std::shared_ptr<Connection> inner);
    ~SecureConnection() override;

    /// What was written before goes out as it is. Called by the handler in on_bytes: it takes no byte behind what made
    /// it call, for those are records. One with more than `record_bytes_max` of plaintext is refused.
    void secure(wire::noise::Records records, std::size_t record_bytes_max);
    void set_record_bytes_max(std::size_t bytes) { record_bytes_max_ = bytes; }
    /// A record was begun and is not whole yet.
    [[nodiscard]] bool holds_half_a_record() const { return half_a_record_; }

    void start(ConnectionHandler& handler) override;
    Buffer& output() override;
    void send(const SharedBytes& bytes) override;
    [[nodiscard]] std::size_t queued_bytes() const override { return inner_->queued_bytes() + held_.size(); }
    void set_reading(bool reading) override;
    void close_after_send() override;
    void close() override;
    [[nodiscard]] std::string remote() const override { return inner_->remote(); }

private:
    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;
    void end_of_turn() override { flush(); }
    std::size_t open_records(BytesView bytes);
    void deliver();
    void flush();
    void fail(const Error& why);
    void shut();

    runtime::Loop& loop_;
    std::shared_ptr<Connection> inner_;
    ConnectionHandler* handler_ = nullptr;
    std::optional<wire::noise::Records> records_;
    std::size_t record_bytes_max_ = 0;
    Buffer held_;   // written in this turn
    Buffer plain_;  // decrypted, and not taken by the handler yet
    bool reading_ = true, open_ = true, half_a_record_ = false;
};

}  // namespace gs::transport
