#include "roles/gateway/queue_budget.hpp"

#include <algorithm>

namespace gs::gateway {

void QueueBudget::note(std::uint64_t client, std::size_t bytes) {
    if (bytes == 0) return;
    sum_ += bytes;
    waiting_.emplace_back(bytes, client);
}

std::vector<std::uint64_t> QueueBudget::take_excess() {
    auto waiting = std::exchange(waiting_, {});
    auto left = std::exchange(sum_, 0);
    std::vector<std::uint64_t> excess;
    if (left <= settings_.queue_bytes_total_max) return excess;
    std::sort(waiting.begin(), waiting.end(), std::greater<>{});
    for (const auto& [bytes, client] : waiting) {
        if (left <= settings_.queue_bytes_total_max) break;
        left -= bytes;
        excess.push_back(client);
    }
    return excess;
}

}  // namespace gs::gateway
