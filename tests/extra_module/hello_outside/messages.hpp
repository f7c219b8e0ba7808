#pragma once
#include "api/message.hpp"

namespace hello_outside {

struct Hello {
    std::string name;
    FIELDS(name)
};

GS_REQUEST(9000, Hello, Hello)

}  // namespace hello_outside
