#include "roles/gateway/bans.hpp"

namespace gs::gateway {

namespace {
constexpr std::uint32_t recent_seconds = 90;  // longer than a center may take to let somebody in
}

void Bans::forget_old(std::uint32_t second) {
    std::erase_if(recent_, [&](const auto& ban) { return second - ban.second.came > recent_seconds; });
}

const session::Ban* Bans::of(const Client& client) const {
    for (const auto& key : client.ban_keys()) {
        const auto found = recent_.find(key);
        if (found != recent_.end()) return &found->second.ban;
    }
    return nullptr;
}

}  // namespace gs::gateway
