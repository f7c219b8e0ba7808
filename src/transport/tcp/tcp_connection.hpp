#pragma once
// One TCP connection. Reading goes through a buffer that all connections of the loop share; only the beginning of a
// frame that is not whole yet is kept here, so an idle connection holds no buffer. Everything written in a turn goes
// out in one system call; only a full socket waits for readiness.
#include <memory>

#include "runtime/epoll_loop.hpp"
#include "transport/out_queue.hpp"
#include "transport/transport.hpp"
#include "transport/untaken.hpp"

namespace gs::transport {

class TcpConnection final : public Connection,
                            public std::enable_shared_from_this<TcpConnection>,
                            private runtime::EndOfTurn,
                            private runtime::Pollable {
public:
    /// Takes the connected socket, which must be non-blocking.
    TcpConnection(runtime::EpollLoop& loop, int socket);
    ~TcpConnection() override;

    void start(ConnectionHandler& handler) override;
    Buffer& output() override;
    void send(const SharedBytes& bytes) override;
    [[nodiscard]] std::size_t queued_bytes() const override { return out_.bytes(); }
    void set_reading(bool reading) override;
    void set_background(bool background) override;
    void close_after_send() override;
    void close() override;
    [[nodiscard]] std::string remote() const override;

private:
    void end_of_turn() override { flush(); }
    void on_ready(bool readable, bool writable) override;
    void read();
    void deliver(BytesView fresh);
    /// False when the connection is lost (errno says why).
    bool send_queued();
    void send_early();
    void flush();
    void watch();
    void fail(const Error& why);
    void fail_ended();
    void shut();

    static constexpr int not_ended = -1;

    runtime::EpollLoop& loop_;
    ConnectionHandler* handler_ = nullptr;
    OutQueue out_;
    Untaken untaken_;
    int socket_;
    int ended_ = not_ended;  // errno of the end that was seen and not told yet; 0: the other side's
    bool watched_ = false, reading_ = true, want_write_ = false, closing_ = false, background_ = false,
         may_wait_ = false;  // for its end: it has been in the background
    runtime::TimerId linger_{};
};

}  // namespace gs::transport
