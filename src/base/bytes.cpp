#include "base/bytes.hpp"

#include <algorithm>
#include <new>

namespace gs {

void Buffer::grow(std::size_t wanted) {
    const auto capacity = std::max({wanted, capacity_ * 2, std::size_t{64}});
    auto* data = static_cast<std::uint8_t*>(::operator new(capacity));
    if (size_ > 0) std::memcpy(data, data_, size_);
    ::operator delete(data_);
    data_ = data;
    capacity_ = capacity;
}

SharedBytes::SharedBytes(BytesView bytes) {
    if (bytes.empty()) return;
    auto* memory = ::operator new(sizeof(Block) + bytes.size());
    block_ = new (memory) Block{{1}, static_cast<std::uint32_t>(bytes.size())};
    std::memcpy(static_cast<void*>(block_ + 1), bytes.data(), bytes.size());
}

SharedBytes::~SharedBytes() {
    if (block_ == nullptr || block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    block_->~Block();
    ::operator delete(block_);
}

}  // namespace gs
