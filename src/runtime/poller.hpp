#pragma once
// Readiness of the files of one loop: one epoll set, level-triggered. A turn of the loop is one wait, one receive for
// each socket that has something, and one send for each that was written to (docs/decisions.md).
// Owner: the loop. Loop: its own.
#include <cstdint>
#include <memory>
#include <vector>

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
    Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller();

    /// Keeps `pollable` until it is removed. The file stays the caller's.
    void add(int file, std::shared_ptr<Pollable> pollable, bool reading, bool writing);
    void change(int file, bool reading, bool writing);
    /// No call comes after it, not even for what was found ready in this turn. Gives back what add() took.
    std::shared_ptr<Pollable> remove(int file);
    /// Lets go of all of them; for the end of the loop.
    void clear();

    /// Waits at most this long until a file is ready, and calls all that are. -1: for ever.
    void wait(int milliseconds);

    /// Memory to receive into, shared by all sockets of the loop; good until the handler returns.
    static constexpr std::size_t receive_bytes = 256 * 1024;
    [[nodiscard]] std::uint8_t* receive_buffer() { return receive_buffer_.data(); }

private:
    void control(int operation, int file, bool reading, bool writing);

    int epoll_;
    std::vector<std::shared_ptr<Pollable>> by_file_;
    std::vector<std::uint8_t> receive_buffer_;
    std::vector<Pollable*> batch_;  // what the running wait() found; null: removed meanwhile
};

}  // namespace gs::runtime
