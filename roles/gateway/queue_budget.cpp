#include "roles/gateway/queue_budget.hpp"

#include <algorithm>

namespace gs::gateway {

void QueueBudget::note(std::uint64_t client, std::size_t bytes) {
    if (bytes == 0) return;
    sum_ += bytes;
    waiting_.emplace_back(bytes, client);
}

std::vector<std::pair<std::size_t, std::uint64_t>> QueueBudget::take_excess() {
    auto waiting = std::exchange(waiting_, {});
    auto left = std::exchange(sum_, 0);
    if (left <= settings_.queue_bytes_total_max) return {};
    std::sort(waiting.begin(), waiting.end(), std::greater<>{});
    std::size_t count = 0;
    for (; count < waiting.size() && left > settings_.queue_bytes_total_max; ++count) left -= waiting[count].first;
    waiting.resize(count);
    return waiting;
}

}  // namespace gs::gateway
