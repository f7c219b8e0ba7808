#pragma once
// One TCP connection. Reading: an idle connection waits with a small buffer of its own, a busy one with a larger one
// from the pool. Writing: everything of a turn goes out in one system call; only a full socket waits for the reactor.
#include <array>

#include <asio/ip/tcp.hpp>

#include "runtime/asio_loop.hpp"
#include "transport/out_queue.hpp"
#include "transport/transport.hpp"

namespace gs::transport {

using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

class TcpConnection final : public Connection,
                            public std::enable_shared_from_this<TcpConnection>,
                            private runtime::EndOfTurn {
public:
    TcpConnection(runtime::AsioLoop& loop, Socket socket, std::size_t read_bytes);
    ~TcpConnection() override;

    void start(ConnectionHandler& handler) override;
    Buffer& output() override;
    void send(const SharedBytes& bytes) override;
    [[nodiscard]] std::size_t queued_bytes() const override { return out_.bytes(); }
    void set_reading(bool reading) override;
    void close_after_send() override;
    void close() override;
    [[nodiscard]] std::string remote() const override;

private:
    void end_of_turn() override { flush(); }
    void read();
    void on_read(const asio::error_code& error, std::size_t count);
    void deliver();
    void make_room(bool filled, std::size_t count);
    void flush();
    void wait_writable();
    void fail(const Error& why);
    void shut();

    static constexpr std::size_t idle_bytes = 256;

    runtime::AsioLoop& loop_;
    Socket socket_;
    ConnectionHandler* handler_ = nullptr;
    OutQueue out_;
    Buffer large_;                   // in use when its capacity is not 0
    std::uint32_t held_ = 0;         // bytes at the front of the buffer that the handler did not take
    std::uint32_t large_bytes_;      // what a busy connection reads at once
    std::uint8_t small_reads_ = 0;   // in a row, while the large buffer is in use
    bool reading_ = true, read_pending_ = false, write_pending_ = false, closing_ = false, open_ = true;
    runtime::TimerId linger_{};
    std::array<std::uint8_t, idle_bytes> small_;
};

}  // namespace gs::transport
