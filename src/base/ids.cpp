#include "base/ids.hpp"

namespace gs {

std::string_view to_string(Role role) {
    switch (role) {
        case Role::gateway:
            return "gateway";
        case Role::login:
            return "login";
        case Role::center:
            return "center";
        case Role::game:
            return "game";
        case Role::storage:
            return "storage";
    }
    return "unknown";
}

fmt::appender detail::format_number(fmt::appender out, std::uint64_t number) {
    return fmt::format_to(out, "{}", number);
}

}  // namespace gs

using fmt::format_context;

format_context::iterator fmt::formatter<gs::Role>::format(gs::Role role, format_context& context) {
    return fmt::format_to(context.out(), "{}", gs::to_string(role));
}
format_context::iterator fmt::formatter<gs::EntityKey>::format(const gs::EntityKey& key, format_context& context) {
    return fmt::format_to(context.out(), "{}:{}", key.kind, key.id);
}
format_context::iterator fmt::formatter<gs::RoleAddress>::format(const gs::RoleAddress& address,
                                                                 format_context& context) {
    return fmt::format_to(context.out(), "{}@{:x}", address.role, static_cast<std::uint64_t>(address.node));
}
