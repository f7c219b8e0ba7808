#pragma once
#include "api/message.hpp"

namespace echo {

struct Echo {
    std::string text;
    FIELDS(text)
};

GS_REQUEST(1000, Echo, Echo)

}  // namespace echo
