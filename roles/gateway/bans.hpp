#pragma once
// Bans that came while clients are connected: they end those connections, and are remembered for as long as a center
// may have let somebody in before it heard of them. Owner: the gateway. Loop: its own.
#include <map>
#include <span>
#include <string>
#include <vector>

#include "roles/gateway/client.hpp"

namespace gs::gateway {

class Bans {
public:
    void note(const session::Ban& ban, std::uint32_t second) { recent_[ban.whom] = {second, ban}; }
    void lift(const session::Ban& ban) { recent_.erase(ban.whom); }
    void forget_old(std::uint32_t second);
    /// Null: none that came lately.
    [[nodiscard]] const session::Ban* of(const Client& client) const;

private:
    struct Recent {
        std::uint32_t came = 0;  ///< the gateway's second
        session::Ban ban;
    };
    std::map<std::string, Recent, std::less<>> recent_;  // by whom
};

}  // namespace gs::gateway
