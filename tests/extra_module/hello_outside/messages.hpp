#pragma once
#include "api/message.hpp"

namespace hello_outside {

struct Greeting {
    std::string text;
    std::uint64_t greetings = 0;  ///< how many this player has had
    FIELDS(text, greetings)
};
struct Hello {
    std::string name;
    FIELDS(name)
};

GS_REQUEST(9000, Hello, Greeting)

}  // namespace hello_outside
