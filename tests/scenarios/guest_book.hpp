#pragma once
// A module for tests only: it counts how often its hooks ran for a player, in a component that is confirmed.
#include "api/module.hpp"

namespace gs::scenarios {

struct Visits {
    std::uint64_t entered = 0, left = 0;
    FIELDS(entered, left)
};
GS_COMPONENT(Visits, "visits", Save::confirmed)

struct CountVisits {
    FIELDS()
};
GS_REQUEST(1950, CountVisits, Visits)

/// How often the leave hook ran since the start of the program, for whatever player.
extern std::uint64_t guests_left;

}  // namespace gs::scenarios

namespace gs {
extern const ModuleInfo guest_book_module;
}
