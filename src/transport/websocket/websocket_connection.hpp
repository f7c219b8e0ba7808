#pragma once
// A layer that speaks WebSocket. What a turn writes leaves as one binary message; a shared broadcast is not copied.
#include "runtime/loop.hpp"
#include "transport/layer.hpp"
#include "transport/untaken.hpp"
#include "wire/websocket.hpp"

namespace gs::transport {

class WebSocketConnection final : public Layer,
                                  public std::enable_shared_from_this<WebSocketConnection>,
                                  private runtime::EndOfTurn {
public:
    /// `host` as the client's request names the server; of the server's side empty.
    WebSocketConnection(runtime::Loop& loop, std::shared_ptr<Connection> below, std::string host);
    ~WebSocketConnection() override;

    void start(ConnectionHandler& handler) override;
    Buffer& output() override;
    void send(const SharedBytes& bytes) override;
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
    /// Returns how many bytes it took of what comes before the frames.
    std::size_t shake_hands(BytesView bytes);
    void take_frames(BytesView bytes);
    void write(wire::websocket::Opcode opcode, BytesView payload);
    [[nodiscard]] std::optional<wire::websocket::Mask> mask() const;
    void end(const Error& why);

    runtime::Loop& loop_;
    std::shared_ptr<Connection> below_;
    ConnectionHandler* handler_ = nullptr;
    wire::websocket::Reader reader_;
    Buffer written_;  // in this turn, or before hands are shaken
    Untaken untaken_;
    const std::string host_;
    const bool is_client_;
    std::string key_;  // of a client's request
    bool is_open_ = false, reading_ = true, closing_ = false;
};

}  // namespace gs::transport
