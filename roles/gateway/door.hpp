#pragma once
// How many connections there are, how many of them have not shown a token yet, and from where: who may come in.
// An IPv6 network of 64 bits counts as one address, since one host may have all of it.
// Owner: the gateway. Loop: its own. Memory: an entry for each address that is connected, or was in this second.
#include <map>
#include <string>
#include <string_view>

#include "roles/gateway/settings.hpp"

namespace gs::gateway {

class Door {
public:
    static constexpr std::string_view busy = "very many clients connect just now; try again in a moment";

    explicit Door(const GatewaySettings& settings) : settings_{settings} {}

    /// A connection is there. Without an address (its balancer has yet to say it) only the totals count.
    void come(const std::string& address);
    /// The balancer has said whose it is.
    void come_from(const std::string& address);
    /// It has shown a token, or is gone.
    void prove(const std::string& address);
    void go(const std::string& address);
    /// Empty: one of that address that came just now may stay; else why not. `address` empty: as in come().
    [[nodiscard]] std::string_view objection(const std::string& address) const;
    /// One hello is to be answered. Empty: it may be; else why not.
    [[nodiscard]] std::string_view greet(const std::string& address);
    /// A new second.
    void tick();

private:
    struct Place {
        std::size_t connections = 0, unproved = 0, hellos = 0;
    };
    const GatewaySettings& settings_;
    std::map<std::string, Place> places_;
    std::size_t connections_ = 0, unproved_ = 0, hellos_ = 0;  // hellos in this second
};

}  // namespace gs::gateway
