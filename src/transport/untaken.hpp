#pragma once
// The received bytes that a handler has not taken yet: they come again in front of what follows. Empty, it holds no
// memory.
#include "transport/out_queue.hpp"
#include "transport/transport.hpp"

namespace gs::transport {

class Untaken {
public:
    ~Untaken() { give_back(std::move(bytes_)); }

    /// Hands what is kept and `fresh` to `handler`, which is null afterwards when it closed the connection meanwhile.
    void deliver(ConnectionHandler*& handler, BytesView fresh) {
        if (bytes_.empty()) {
            const auto taken = handler->on_bytes(fresh);
            if (handler == nullptr || taken == fresh.size()) return;
            bytes_ = take_buffer();
            bytes_.append(fresh.subspan(taken));
            return;
        }
        bytes_.append(fresh);
        const auto taken = handler->on_bytes(bytes_);
        if (handler == nullptr) return;
        if (taken == bytes_.size()) {
            give_back(std::exchange(bytes_, Buffer{}));
        } else {
            bytes_.consume(taken);
        }
    }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    void clear() { give_back(std::exchange(bytes_, Buffer{})); }

private:
    Buffer bytes_;
};

}  // namespace gs::transport
