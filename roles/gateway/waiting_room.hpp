#pragma once
// The gateway's clients that wait in a center's login queue (src/session/admission.hpp), by center and ticket.
// Owner: the gateway. Loop: its own.
#include <map>
#include <optional>
#include <utility>

#include "roles/gateway/client.hpp"

namespace gs::gateway {

class WaitingRoom {
public:
    explicit WaitingRoom(Gateway& gateway) : gateway_{gateway} {}

    struct Waiting {
        std::uint64_t client = 0;
        PlayerId player{};  ///< as the token has shown, which may be too old by the time it is let in
        wire::Enter claim;
    };
    void wait(Client& client, RoleAddress center, std::uint64_t ticket, PlayerId player, wire::Enter claim);
    /// It waits no longer: true when it had a place, of which the center should hear.
    [[nodiscard]] bool leave(Client& client);
    /// Empty: nobody waits here with that ticket.
    [[nodiscard]] std::optional<Waiting> take(RoleAddress center, std::uint64_t ticket);
    /// Tells everyone how far they are.
    void moved(const session::QueueMoved& note, RoleAddress center);
    /// The center has forgotten them, or will not hear of them.
    void lose(RoleAddress center);

private:
    void turn_away(const std::vector<std::uint64_t>& clients);

    Gateway& gateway_;
    std::map<std::pair<RoleAddress, std::uint64_t>, Waiting> waiting_;
};

}  // namespace gs::gateway
