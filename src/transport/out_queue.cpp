#include "transport/out_queue.hpp"

namespace gs::transport {

namespace {
constexpr std::size_t pooled_buffers_max = 256;
constexpr std::size_t pooled_bytes_max = 16 * 1024;  // what grew above it goes back to the allocator
constexpr std::size_t kept_bytes_max = 64 * 1024;    // sent bytes at the front of a queue in use
constexpr std::size_t kept_segments_max = 64;
constexpr std::size_t copied_bytes_max = 512;

std::vector<Buffer>& pool() {
    thread_local std::vector<Buffer> buffers;
    return buffers;
}
}  // namespace

Buffer take_buffer() {
    auto& buffers = pool();
    if (buffers.empty()) return {};
    auto buffer = std::move(buffers.back());
    buffers.pop_back();
    return buffer;
}

void give_back(Buffer buffer) {
    if (buffer.capacity() == 0 || buffer.capacity() > pooled_bytes_max || pool().size() >= pooled_buffers_max) return;
    buffer.clear();
    pool().push_back(std::move(buffer));
}

Buffer& OutQueue::tail() {
    if (segments_.size() == head_ || !segments_.back().shared.empty()) segments_.push_back({take_buffer(), {}});
    return segments_.back().own;
}

void OutQueue::push(const SharedBytes& bytes) {
    if (bytes.empty()) return;
    // The first waits by reference and costs no buffer; small ones behind it are cheaper copied than sent as pieces.
    if (segments_.size() > head_ && bytes.size() <= copied_bytes_max) {
        tail().append(bytes);
    } else {
        segments_.push_back({{}, bytes});
    }
}

std::size_t OutQueue::bytes() const {
    std::size_t total = 0;
    for (std::size_t index = head_; index < segments_.size(); ++index) total += segments_[index].view().size();
    return total - (total == 0 ? 0 : offset_);
}

std::size_t OutQueue::gather(BytesView* views, std::size_t count) const {
    std::size_t filled = 0;
    for (std::size_t index = head_; index < segments_.size() && filled < count; ++index) {
        const auto view = segments_[index].view();
        views[filled] = index == head_ ? view.subspan(offset_) : view;
        if (!views[filled].empty()) ++filled;
    }
    return filled;
}

void OutQueue::sent(std::size_t count) {
    while (head_ < segments_.size()) {
        const auto left = segments_[head_].view().size() - offset_;
        if (count < left) {
            offset_ += count;
            drop_sent();
            return;
        }
        count -= left;
        offset_ = 0;
        give_back(std::move(segments_[head_].own));
        segments_[head_] = {};
        ++head_;
    }
    head_ = 0;
    segments_.clear();
    if (segments_.capacity() > 4) segments_.shrink_to_fit();
}

void OutQueue::drop_sent() {
    // A reader that keeps up but never catches up leaves the queue always in use: what is sent must not pile up in it.
    auto& own = segments_[head_].own;
    if (offset_ > kept_bytes_max && offset_ > own.size() / 2 && !own.empty()) {
        own.consume(offset_);
        offset_ = 0;
    }
    if (head_ > kept_segments_max && head_ > segments_.size() / 2) {
        segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
}

void OutQueue::clear() {
    for (auto& segment : segments_) give_back(std::move(segment.own));
    segments_.clear();
    head_ = offset_ = 0;
}

}  // namespace gs::transport
