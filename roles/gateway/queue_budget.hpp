#pragma once
// What waits for all clients of a gateway together. Each client has a bound of its own (queue_bytes_max); many slow ones
// at once would still take the memory of the process.
// Owner: the gateway. Loop: its own.
#include <cstdint>
#include <utility>
#include <vector>

#include "roles/gateway/settings.hpp"

namespace gs::gateway {

class QueueBudget {
public:
    explicit QueueBudget(const GatewaySettings& settings) : settings_{settings} {}

    /// Each client once in a round. What is shared counts for each of its receivers.
    void note(std::uint64_t client, std::size_t bytes);
    [[nodiscard]] std::size_t sum() const { return sum_; }
    /// Ends the round: those with the most, and how much that was, until the others are within the bound.
    [[nodiscard]] std::vector<std::pair<std::size_t, std::uint64_t>> take_excess();

private:
    const GatewaySettings& settings_;
    std::size_t sum_ = 0;
    std::vector<std::pair<std::size_t, std::uint64_t>> waiting_;  // bytes and client
};

}  // namespace gs::gateway
