#pragma once
// Requests that need nothing of their player, so that another group of games may answer them: [[game.route]] says which
// modules' do. The player's own game asks, and its session keeps the reply as any other.
// Owner: the game. Loop: its own.
#include <map>
#include <string>
#include <vector>

#include "api/module.hpp"
#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::game {

class Services {
public:
    Services(cluster::RoleBus bus, const Settings& section);

    /// Which group answers the services of that module; empty: the game that the player is in.
    [[nodiscard]] std::string group_of(std::string_view module) const;
    /// Complains of routes for what is not there. `served`: how many services each module has.
    void check(const std::map<std::string, std::size_t>& served) const;
    /// Appends the encoded reply. Errors: unavailable: no game of that group is ready; what the handler throws.
    [[nodiscard]] Task<> ask(std::string group, PlayerId from, Command command, Binary request, Buffer& reply);

private:
    struct Route {
        Settings row;
        std::string module, group;
    };
    /// The same one for a player, as long as it is there: what it remembers of that player is of use.
    [[nodiscard]] RoleAddress choose(const std::string& group, PlayerId from) const;

    cluster::RoleBus bus_;
    std::vector<Route> routes_;
};

}  // namespace gs::game
