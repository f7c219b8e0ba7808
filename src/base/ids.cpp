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

}  // namespace gs
