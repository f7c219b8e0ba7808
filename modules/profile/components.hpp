#pragma once
// What is stored of a profile. Both parts are confirmed: a reply means that the change is in the database.
#include "api/module.hpp"

namespace profile {

struct Shown {
    std::string nickname;
    std::string motto;
    FIELDS(nickname, motto)
};

struct Hidden {
    std::string email;
    std::uint64_t logins = 0;
    FIELDS(email, logins)
};

GS_COMPONENT(Shown, "profile", Save::confirmed)
GS_COMPONENT(Hidden, "profile_private", Save::confirmed)

}  // namespace profile
