#pragma once
// Readiness of many sockets behind one registration with Asio's reactor. Asio tries a read that fails after every read
// that succeeds, or re-registers; with one registration for all, a message costs one receive and one send
// (docs/decisions.md). Level-triggered. Owner: the loop. Loop: its own.
#include <cstdint>
#include <memory>
#include <vector>

#include <asio/posix/stream_descriptor.hpp>

namespace gs::runtime {

class Pollable {
public:
    /// A socket that failed counts as readable: reading tells why.
    virtual void on_ready(bool readable, bool writable) = 0;

protected:
    ~Pollable() = default;
};

class Poller {
public:
    explicit Poller(asio::io_context& io);
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller();

    /// Keeps `pollable` until it is removed.
    void add(int file, std::shared_ptr<Pollable> pollable, bool reading, bool writing);
    void change(int file, bool reading, bool writing);
    /// No call comes after it, not even for what was found ready in this turn. Gives back what add() took.
    std::shared_ptr<Pollable> remove(int file);
    /// Lets go of all of them; for the end of the loop.
    void clear();

    /// Memory to receive into, shared by all sockets of the loop; good until the handler returns.
    static constexpr std::size_t receive_bytes = 64 * 1024;
    [[nodiscard]] std::uint8_t* receive_buffer() { return receive_buffer_.data(); }

    /// Asks the reactor to call back once a socket is ready.
    void arm();
    /// After a batch more is likely ready: look again before asking the reactor.
    [[nodiscard]] bool is_hot() const { return hot_; }
    void poll();

private:
    void control(int operation, int file, bool reading, bool writing);

    asio::posix::stream_descriptor epoll_;
    std::vector<std::shared_ptr<Pollable>> by_file_;
    std::vector<std::uint8_t> receive_buffer_;
    std::vector<Pollable*> batch_;  // what the running poll() found; null: removed meanwhile
    bool armed_ = false, hot_ = false;
};

}  // namespace gs::runtime
