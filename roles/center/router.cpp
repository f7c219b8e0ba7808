#include "roles/center/router.hpp"

#include <algorithm>

namespace gs::center {

Router::Router(const Settings& section, std::span<const ModuleInfo* const> modules)
    : ranges_{section.tables("route", "which versions of the client go to which group of games; the first that fits",
                             [](const Settings& row) { return read_range(row); })} {
    std::copy_if(modules.begin(), modules.end(), std::back_inserter(modules_),
                 [](const ModuleInfo* module) { return module->route != nullptr; });
    std::sort(modules_.begin(), modules_.end(),
              [](const auto* one, const auto* other) { return one->name < other->name; });
}

Router::Range Router::read_range(const Settings& row) {
    const auto version = [&](std::string_view key, std::string_view meaning) -> std::optional<session::Version> {
        const auto text = row.text(key, "", meaning);
        if (text.empty()) return std::nullopt;
        const auto parsed = session::parse_version(text);
        if (!parsed) {
            row.reject(key, "\"" + text + "\": " + parsed.error().message());
            return std::nullopt;
        }
        return *parsed;
    };
    Range range;
    range.from = version("from", "the first version; empty: all up to `below`, also those that say none");
    range.below = version("below", "the first version that does not belong to it; empty: all later ones do");
    range.group = row.text("group", "main", "of games: their game.group");
    return range;
}

std::string Router::group_of(const Login& login) const {
    for (const auto* module : modules_) {
        auto group = module->route(login);
        if (!group.empty()) return group;
    }
    const auto version = session::parse_version(login.client_version).value_or(session::Version{});
    for (const auto& range : ranges_) {
        if (range.from && version < *range.from) continue;
        if (range.below && version >= *range.below) continue;
        return range.group;
    }
    return std::string{main_group};
}

}  // namespace gs::center
