#pragma once
// Who is there: every role instance that this node can reach, itself included. Each loop's bus keeps a copy.
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace gs::cluster {

/// What a role tells the others about itself; travels on every link.
struct Announcement {
    Role role{};
    bool ready = false;
    std::uint32_t load = 0;   ///< players, or what the role counts; only compared with others of its role
    std::string endpoint;     ///< where clients reach it, if they do
    std::string why{};        ///< it is not ready, or takes nobody new, for operators; not ready and empty: not up yet
    std::string websocket{};  ///< the URL for browsers, if there is one
    std::string group{};      ///< of games: which players they are for (roles/center/router.hpp)
    std::uint32_t cpu = 0;    ///< how busy its process is, of all that its threads could do; percent
    FIELDS(role, ready, load, endpoint, why, websocket, group, cpu)
};

struct Instance {
    RoleAddress address;
    std::string node;
    Announcement state;
};

}  // namespace gs::cluster
