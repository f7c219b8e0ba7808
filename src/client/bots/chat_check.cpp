#include "client/bots/chat_check.hpp"

namespace gs::bots {

void ChannelCheck::joined(PlayerId self, const std::vector<chat::Line>& last_lines) {
    self_ = self;
    member_ = true;
    next_.reset();
    overlap_last_ = 0;
    for (const auto& line : last_lines) {
        if (next_ && line.number != *next_) {
            const auto& tell = line.number > *next_ ? gap_ : problem_;
            tell(fmt::format("the last lines of the channel hold line {} where {} belongs", line.number, *next_));
        }
        next_ = line.number + 1;
    }
    snapshot_last_ = next_ ? *next_ - 1 : 0;
    for (const auto& line : std::exchange(early_, {})) received(line);
}

void ChannelCheck::left() {
    member_ = false;
    early_.clear();
    own_last_ = 0;
    missing_ = 0;
    for (auto& [text, own] : own_) own.missed = false;
}

void ChannelCheck::received(const chat::Line& line) {
    if (!member_) {
        early_.push_back(line);
        return;
    }
    check_number(line.number);
    if (line.from == self_) check_own(line);
}

void ChannelCheck::check_number(std::uint64_t number) {
    if (!next_ || number == *next_) {
        next_ = number + 1;
    } else if (number > *next_) {
        gap_(fmt::format("line {} came where {} was expected: {} lost", number, *next_, number - *next_));
        next_ = number + 1;
    } else if (number <= snapshot_last_ && number > overlap_last_) {
        overlap_last_ = number;
    } else {
        problem_(fmt::format("line {} came after line {}: doubled or out of order", number, *next_ - 1));
    }
}

void ChannelCheck::check_own(const chat::Line& line) {
    const auto found = own_.find(line.text);
    if (found == own_.end() || found->second.seen) {
        problem_(fmt::format("own line {} '{}' came twice, or was never said", line.number, line.text));
        return;
    }
    if (!found->second.confirmed) {
        found->second.seen = line.number;
        return;
    }
    if (*found->second.confirmed != line.number) {
        problem_(fmt::format("own line '{}' was confirmed as number {} and came as {}", line.text,
                             *found->second.confirmed, line.number));
    }
    if (found->second.missed) --missing_;
    own_.erase(found);
}

void ChannelCheck::confirmed(const std::string& text, std::uint64_t number) {
    if (number <= own_last_)
        problem_(fmt::format("own line was confirmed as number {} after number {}", number, own_last_));
    own_last_ = number;
    const auto found = own_.find(text);
    if (found == own_.end()) return;
    if (!found->second.seen) {
        found->second.confirmed = number;
        found->second.missed = true;
        ++missing_;
        return;
    }
    if (*found->second.seen != number) {
        problem_(
            fmt::format("own line '{}' came as number {} and was confirmed as {}", text, *found->second.seen, number));
    }
    own_.erase(found);
}

void WhisperCheck::received(std::uint64_t number, const std::set<std::uint64_t>& unsure) {
    if (number <= last_) {
        if (!unsure.contains(number))
            problem_(fmt::format("whisper {} came after whisper {}: doubled or out of order", number, last_));
        return;
    }
    const auto missing = number - last_ - 1;
    const auto excused = std::distance(unsure.upper_bound(last_), unsure.lower_bound(number));
    if (missing > static_cast<std::uint64_t>(excused) && !gaps_allowed_ && !interrupted_) {
        problem_(fmt::format("whisper {} came where {} was expected", number, last_ + 1));
    }
    interrupted_ = false;
    last_ = number;
}

}  // namespace gs::bots
