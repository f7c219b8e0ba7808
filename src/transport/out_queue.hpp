#pragma once
// What a connection still has to send: small writes gathered in one buffer, shared broadcasts held by reference. Empty,
// it holds no memory; buffers come from and go back to a pool of the thread.
#include <vector>

#include "base/bytes.hpp"

namespace gs::transport {

class OutQueue {
public:
    OutQueue() = default;
    OutQueue(const OutQueue&) = delete;
    OutQueue& operator=(const OutQueue&) = delete;
    ~OutQueue() { clear(); }

    /// The buffer at the end of the queue. What is appended to it counts at the next call of this object.
    [[nodiscard]] Buffer& tail();
    /// Long ones are held by reference.
    void push(const SharedBytes& bytes);
    [[nodiscard]] std::size_t bytes() const;
    [[nodiscard]] bool empty() const { return bytes() == 0; }

    /// Fills `views` with what comes next; returns how many.
    std::size_t gather(BytesView* views, std::size_t count) const;
    /// The first `count` bytes were sent.
    void sent(std::size_t count);
    void clear();

private:
    struct Segment {
        Buffer own;
        SharedBytes shared;
        [[nodiscard]] BytesView view() const { return shared.empty() ? own.view() : shared.view(); }
    };
    void drop_sent();

    std::vector<Segment> segments_;
    std::size_t head_ = 0;    ///< segments sent whole
    std::size_t offset_ = 0;  ///< bytes of the first one that are sent
};

/// A buffer of the thread's pool, and giving it back.
[[nodiscard]] Buffer take_buffer();
void give_back(Buffer buffer);

}  // namespace gs::transport
