#include "roles/game/services.hpp"

namespace gs::game {

Services::Services(cluster::RoleBus bus, const Settings& section)
    : bus_{bus},
      routes_{section.tables("route", "modules whose services (docs/tutorial.md) another group of games answers",
                             [](const Settings& row) {
                                 return Route{row, row.text("module", "", "of which module"),
                                              row.text("group", "main", "of games: their game.group")};
                             })} {}

std::string Services::group_of(std::string_view module) const {
    for (const auto& route : routes_) {
        if (route.module == module) return route.group;
    }
    return {};
}

void Services::check(const std::map<std::string, std::size_t>& served) const {
    std::set<std::string> seen;
    for (const auto& route : routes_) {
        const auto known = served.find(route.module);
        if (known == served.end()) {
            route.row.reject("module", "\"" + route.module + "\": there is no such module");
        } else if (known->second == 0) {
            route.row.reject("module", "\"" + route.module + "\" has no services; all it does needs its player");
        } else if (!seen.insert(route.module).second) {
            route.row.reject("module", "\"" + route.module + "\" is routed twice");
        }
    }
}

RoleAddress Services::choose(const std::string& group, PlayerId from) const {
    const auto key = cluster::shard_key(static_cast<std::uint64_t>(from));
    RoleAddress best;
    std::uint64_t most = 0;
    for (const auto& game : bus_.ready(Role::game)) {
        if (game.state.group != group) continue;
        const auto weight = cluster::shard_key(static_cast<std::uint64_t>(game.address.node) ^ key);
        if (weight < most) continue;
        best = game.address;
        most = weight;
    }
    if (best == RoleAddress{})
        throw Error{Code::unavailable, "no game server of group \"{}\" is ready right now", group};
    return best;
}

Task<> Services::ask(std::string group, PlayerId from, Command command, Binary request, Buffer& reply) {
    session::Serve serve;
    serve.player = from;
    serve.command = command;
    serve.request = std::move(request);
    const auto game = choose(group, from);
    auto served = co_await bus_.call(game, std::move(serve));
    reply.append(served.value().reply);
}

}  // namespace gs::game
