#pragma once
// A field on which players walk and see each other: what a game that runs in frames looks like.
#include "api/message.hpp"

namespace arena {

struct Place {
    gs::PlayerId player{};
    std::uint32_t x = 0, y = 0;
    FIELDS(player, x, y)
};

/// A player is in one arena at a time. Code::busy: it is full.
struct Enter {
    std::string arena;
    FIELDS(arena)
};
struct Entered {
    std::uint32_t width = 0;  ///< x and y are less
    std::uint32_t frames_per_second = 0;
    std::vector<Place> places;
    FIELDS(width, frames_per_second, places)
};
struct Leave {
    FIELDS()
};
struct Walk {
    std::uint32_t x = 0, y = 0;  ///< where to
    FIELDS(x, y)
};

/// Where everybody is, so many times a second. The latest one is enough.
struct Frame {
    static constexpr bool state = true;
    std::string arena;  ///< one that was left a moment ago may still come
    std::uint64_t number = 0;
    std::vector<Place> places;  ///< in the order of the players' numbers
    FIELDS(arena, number, places)
};

/// Heard by everyone in the arena; once, and not by who is away.
struct Shout {
    std::string text;  ///< 1 to 100 bytes
    FIELDS(text)
};
struct Shouted {
    gs::PlayerId player{};
    std::string text;
    FIELDS(player, text)
};

GS_REQUEST(1400, Enter, Entered)
GS_REQUEST(1401, Leave, gs::Done)
GS_REQUEST(1402, Walk, gs::Done)
GS_PUSH(1403, Frame)
GS_REQUEST(1404, Shout, gs::Done)
GS_PUSH(1405, Shouted)

}  // namespace arena
