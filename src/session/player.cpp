#include "session/player.hpp"

#include "base/describe.hpp"
#include "base/log.hpp"
#include "base/planted.hpp"

namespace gs::session {

std::string Player::mark() const {
    if (stream_.session() == 0 || planted(PlantedBug::forgotten_mark)) return {};
    const bool is_whole = whole_mark_ != Whole::no;
    auto mark = is_whole ? stream_.whole_mark() : stream_.mark(held_request_, held_body_);
    mark.writer = epoch();
    mark.for_heir = whole_mark_ == Whole::for_heir;
    if (is_whole) mark.channels.assign(channels_.begin(), channels_.end());
    return to_json(mark);
}

void Player::restore_session(const storage::Opened& opened, bool is_heir) {
    stream_.begin(0);
    channels_.clear();
    if (opened.mark.empty()) return;
    auto read = from_json<Mark>(opened.mark);
    if (!read) {
        log::error("the session of player {} cannot be read and is over: {}", id_, read.error().message());
        return;
    }
    // An owner in between wrote nothing, and may have numbered more.
    if (static_cast<std::uint64_t>(read->writer) + 1 != static_cast<std::uint64_t>(opened.epoch)) read->whole = false;
    // It gave the player to nobody, and was lost: what came for the player after that write was lost with it.
    if (read->for_heir && !is_heir) read->whole = false;
    stream_.restore(*read);
    channels_.insert(read->channels.begin(), read->channels.end());
}

}  // namespace gs::session
