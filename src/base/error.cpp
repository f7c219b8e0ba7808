#include "base/error.hpp"

namespace gs {

std::string_view to_string(Code code) {
    switch (code) {
        case Code::ok:
            return "ok";
        case Code::invalid:
            return "invalid";
        case Code::unauthenticated:
            return "unauthenticated";
        case Code::forbidden:
            return "forbidden";
        case Code::not_found:
            return "not_found";
        case Code::conflict:
            return "conflict";
        case Code::limited:
            return "limited";
        case Code::busy:
            return "busy";
        case Code::unavailable:
            return "unavailable";
        case Code::deadline:
            return "deadline";
        case Code::internal:
            return "internal";
        case Code::fenced:
            return "fenced";
        case Code::unknown_command:
            return "unknown_command";
        case Code::outdated:
            return "outdated";
    }
    return "unknown";
}

}  // namespace gs
