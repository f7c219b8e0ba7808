#pragma once
// Bytes in motion: views, growable buffers, and reference-counted blocks that let one message be shared by many.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace gs {

using BytesView = std::span<const std::uint8_t>;
using Binary = std::vector<std::uint8_t>;  ///< owned bytes in messages (msgpack bin)

[[nodiscard]] inline BytesView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(BytesView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A growable byte buffer that does not zero what it grows by. Owner: whoever holds it; views die with the next append.
class Buffer {
public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)},
          size_{std::exchange(other.size_, 0)},
          capacity_{std::exchange(other.capacity_, 0)} {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { ::operator delete(data_); }

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::uint8_t* data() { return data_; }
    [[nodiscard]] const std::uint8_t* data() const { return data_; }
    [[nodiscard]] BytesView view() const { return {data_, size_}; }
    operator BytesView() const { return view(); }

    /// Room for `count` more bytes, counted as written; the caller fills it.
    std::uint8_t* extend(std::size_t count) {
        if (size_ + count > capacity_) grow(size_ + count);
        auto* at = data_ + size_;
        size_ += count;
        return at;
    }
    /// What was extended and not used, from `end` on, is given back.
    void end_at(const std::uint8_t* end) { size_ = static_cast<std::size_t>(end - data_); }
    void append(BytesView bytes) {
        if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
    }
    void push_back(std::uint8_t byte) { *extend(1) = byte; }
    void reserve(std::size_t capacity) {
        if (capacity > capacity_) grow(capacity);
    }
    void resize_down(std::size_t size) { size_ = size < size_ ? size : size_; }
    void clear() { size_ = 0; }
    /// Drops the first `count` bytes and moves the rest to the front.
    void consume(std::size_t count) {
        if (count == 0) return;
        std::memmove(data_, data_ + count, size_ - count);
        size_ -= count;
    }
    /// Gives the memory back as well.
    void release() { *this = Buffer{}; }

private:
    void grow(std::size_t wanted);

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

/// Immutable bytes shared by reference count: a broadcast is encoded once and held by every connection that still sends
/// it. Safe to copy and drop on any thread.
class SharedBytes {
public:
    SharedBytes() = default;
    explicit SharedBytes(BytesView bytes);
    SharedBytes(const SharedBytes& other) : block_{other.block_} {
        if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
    }
    SharedBytes(SharedBytes&& other) noexcept : block_{std::exchange(other.block_, nullptr)} {}
    SharedBytes& operator=(SharedBytes other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~SharedBytes();

    [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] BytesView view() const {
        return block_ == nullptr ? BytesView{}
                                 : BytesView{reinterpret_cast<const std::uint8_t*>(block_ + 1), block_->size};
    }
    operator BytesView() const { return view(); }

private:
    struct Block {
        std::atomic<std::uint32_t> references;
        std::uint32_t size;
    };
    Block* block_ = nullptr;
};

}  // namespace gs
