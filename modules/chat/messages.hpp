#pragma once
// Chat as a client sees it: channels that keep their last lines, and messages to one player.
#include "api/message.hpp"

namespace chat {

struct Line {
    std::uint64_t number = 0;  ///< 1, 2, 3 ... within the channel
    gs::PlayerId from{};
    std::string text;
    FIELDS(number, from, text)
};

struct Joined {
    std::vector<Line> last_lines;
    FIELDS(last_lines)
};
struct Join {
    std::string channel;
    FIELDS(channel)
};
struct Leave {
    std::string channel;
    FIELDS(channel)
};

struct Said {
    std::string channel;
    Line line;
    FIELDS(channel, line)
};
struct SayOk {
    std::uint64_t line = 0;
    FIELDS(line)
};
struct Say {
    std::string channel, text;
    FIELDS(channel, text)
};

struct Whispered {
    gs::PlayerId from{};
    std::string text;
    FIELDS(from, text)
};
struct Whisper {
    gs::PlayerId to{};
    std::string text;
    FIELDS(to, text)
};

GS_REQUEST(1200, Join, Joined)
GS_REQUEST(1201, Leave, gs::Done)
GS_REQUEST(1202, Say, SayOk)
GS_REQUEST(1203, Whisper, gs::Done)
GS_PUSH(1204, Said)
GS_PUSH(1205, Whispered)

}  // namespace chat
