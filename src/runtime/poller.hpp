#pragma once
// Readiness of the files of one loop, level-triggered. A turn of the loop is one wait, one receive for each socket that
// has something, and one send for each that was written to (docs/decisions.md). Files may be in the background: they
// are served when the others are, and only for a little time in each turn, however many of them are ready.
// Owner: the loop. Loop: its own.
#include <chrono>
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
    void add(int file, std::shared_ptr<Pollable> pollable, bool reading, bool writing, bool background = false);
    void change(int file, bool reading, bool writing);
    /// To the background, or back from there.
    void move(int file, bool background, bool reading, bool writing);
    /// No call comes after it, not even for what was found ready in this turn. Gives back what add() took.
    std::shared_ptr<Pollable> remove(int file);
    /// Lets go of all of them; for the end of the loop.
    void clear();

    /// Waits at most this long until a file is ready, and calls all that are, but for those in the background. -1: for
    /// ever.
    void wait(int milliseconds);
    /// Calls those in the background one after the other, until so much time has passed; one at least.
    void serve_background(std::chrono::nanoseconds time);
    /// Some of those in the background were left by the last call.
    [[nodiscard]] bool has_background() const { return background_ready_; }

    /// Memory to receive into, shared by all sockets of the loop; good until the handler returns.
    static constexpr std::size_t receive_bytes = 256 * 1024;
    [[nodiscard]] std::uint8_t* receive_buffer() { return receive_buffer_.data(); }

private:
    struct Watched {
        std::shared_ptr<Pollable> pollable;
        bool background = false;
    };
    struct Ready {
        Pollable* pollable;  // null: removed meanwhile
        bool readable, writable;
    };
    void control(int operation, int file, bool reading, bool writing);
    /// Appends what is ready. True: it is as many as fit, so there may be more.
    bool find_ready(int epoll, int most, int milliseconds, std::vector<Ready>& found);
    static void call(const Ready& ready);

    int epoll_;
    int background_epoll_;  // is itself in epoll_
    std::vector<Watched> by_file_;
    std::vector<std::uint8_t> receive_buffer_;
    std::vector<Ready> batch_;             // what the running wait() found
    std::vector<Ready> background_batch_;  // what is left of it from turn to turn, the first last
    bool background_ready_ = false;
};

}  // namespace gs::runtime
