#pragma once
// What a client can ask about players: everyone's public fields, one's own private ones, and a nickname that is unique.
#include "api/message.hpp"

namespace profile {

struct PublicProfile {
    gs::PlayerId player{};
    std::string nickname;
    std::string motto;
    FIELDS(player, nickname, motto)
};
struct ViewProfile {
    gs::PlayerId player{};
    FIELDS(player)
};

struct OwnProfile {
    PublicProfile shown;
    std::string email;
    std::uint64_t logins = 0;
    FIELDS(shown, email, logins)
};
struct ViewOwnProfile {
    FIELDS()
};

/// 3 to 60 bytes, no space at its ends, no control characters; Code::conflict when another player has it.
struct SetNickname {
    std::string nickname;
    FIELDS(nickname)
};
struct SetMotto {
    std::string motto;
    FIELDS(motto)
};
struct SetEmail {
    std::string email;
    static constexpr bool secret = true;
    FIELDS(email)
};

GS_REQUEST(1100, ViewProfile, PublicProfile)
GS_REQUEST(1101, ViewOwnProfile, OwnProfile)
GS_REQUEST(1102, SetNickname, gs::Done)
GS_REQUEST(1103, SetMotto, gs::Done)
GS_REQUEST(1104, SetEmail, gs::Done)

}  // namespace profile
