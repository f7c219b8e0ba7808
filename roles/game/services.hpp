#pragma once
// Requests that need nothing of their player, so that another group of games may answer them: [[game.route]] says which
// modules' do. The player's own game asks, and its session keeps the reply as any other.
// Owner: the game. Loop: its own.
#include <map>
#include <string>

#include "api/module.hpp"
#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::game {

class Services {
public:
    explicit Services(cluster::RoleBus bus) : bus_{bus} {}

    /// Once the modules are loaded; `served`: how many services each of them has. Rejects routes for what is not there.
    void read(const Settings& section, const std::map<std::string, std::size_t>& served);
    /// Which group answers the services of that module; empty: the game that the player is in.
    [[nodiscard]] std::string group_of(const std::string& module) const;
    /// Appends the encoded reply. Errors: unavailable: no game of that group is ready; deadline: it did not answer in 5 s,
    /// or was lost; what the handler throws.
    [[nodiscard]] Task<> ask(std::string group, PlayerId from, Command command, Binary request, Buffer& reply);

private:
    /// The same one for a player, as long as it is there: what it remembers of that player is of use.
    [[nodiscard]] RoleAddress choose(const std::string& group, PlayerId from) const;

    cluster::RoleBus bus_;
    std::map<std::string, std::string> groups_;  // by module
};

}  // namespace gs::game
