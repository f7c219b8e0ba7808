#include "roles/game/services.hpp"

namespace gs::game {

void Services::read(const Settings& section, const std::map<std::string, std::size_t>& served) {
    const auto routes = section.tables(
        "route", "modules whose services (docs/tutorial.md) another group of games answers", [](const Settings& row) {
            auto module = row.text("module", "", "of which module");
            auto group = row.text("group", "", "of games: their game.group");
            return std::pair{std::move(module), std::move(group)};
        });
    for (const auto& [module, group] : routes) {
        const auto known = served.find(module);
        if (module.empty() || group.empty()) {
            section.reject("route", "needs a `module` and a `group` in each row");
        } else if (known == served.end()) {
            section.reject("route", "names module \"" + module + "\", and there is no such module");
        } else if (known->second == 0) {
            section.reject("route",
                           "names module \"" + module + "\", which has no services: all it does needs its player");
        } else if (!groups_.emplace(module, group).second) {
            section.reject("route", "names module \"" + module + "\" twice");
        }
    }
}

std::string Services::group_of(const std::string& module) const {
    const auto route = groups_.find(module);
    return route == groups_.end() ? std::string{} : route->second;
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
