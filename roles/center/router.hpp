#pragma once
// Which group of games a login goes to. Games say theirs with game.group. The first that has an opinion counts: the
// rules of modules, in the order of their names, then [[center.route]] in the order of the config, then "main".
// Owner: the center. Loop: its own.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/module.hpp"
#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::center {

class Router {
public:
    Router(const Settings& section, std::span<const ModuleInfo* const> modules);

    [[nodiscard]] std::string group_of(const Login& login) const;

private:
    struct Range {
        std::optional<session::Version> from, below;
        std::string group;
    };
    [[nodiscard]] static Range read_range(const Settings& row);

    std::vector<const ModuleInfo*> modules_;  // those with a rule
    std::vector<Range> ranges_;
};

}  // namespace gs::center
