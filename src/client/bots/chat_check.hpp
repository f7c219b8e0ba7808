#pragma once
// What one member of a chat channel may expect: lines in rising order without duplicates or gaps, its own lines exactly
// once. And the same for whispers of one sender. Sans I/O; each broken expectation is told to `problem`.
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "modules/chat/messages.hpp"

namespace gs::bots {

using Problem = std::function<void(std::string)>;

class ChannelCheck {
public:
    /// `gap` is told of lines that are missing: a problem too, unless servers may lose them by a crash.
    ChannelCheck(Problem problem, Problem gap) : problem_{std::move(problem)}, gap_{std::move(gap)} {}

    /// The channel as it was when the player joined it; lines are expected from there on.
    void joined(PlayerId self, const std::vector<chat::Line>& last_lines);
    /// Not a member any more; what was confirmed before need not come.
    void left();
    void received(const chat::Line& line);

    void saying(const std::string& text) { own_[text]; }
    void confirmed(const std::string& text, std::uint64_t number);
    void not_said(const std::string& text) { own_.erase(text); }
    // What stays unanswered needs no call: it may come once, or not.

    /// Own lines that were confirmed and did not come back yet.
    [[nodiscard]] std::size_t missing() const { return missing_; }

private:
    struct Own {
        std::optional<std::uint64_t> confirmed, seen;
        bool missed = false;  // counted in missing_
    };
    void check_number(std::uint64_t number);
    void check_own(const chat::Line& line);

    Problem problem_, gap_;
    PlayerId self_{};
    bool member_ = false;
    std::vector<chat::Line> early_;      // came before the reply to the join
    std::optional<std::uint64_t> next_;  // the number that must come now; unknown in an empty channel
    std::uint64_t snapshot_last_ = 0;    // lines up to here were in the reply and may come as pushes too
    std::uint64_t overlap_last_ = 0;
    std::uint64_t own_last_ = 0;
    std::unordered_map<std::string, Own> own_;  // said and not yet both confirmed and seen
    std::size_t missing_ = 0;
};

class WhisperCheck {
public:
    WhisperCheck(Problem problem, bool gaps_allowed) : problem_{std::move(problem)}, gaps_allowed_{gaps_allowed} {}

    /// `unsure`: the sender does not know whether these were said; they may be missing, or come twice.
    void received(std::uint64_t number, const std::set<std::uint64_t>& unsure = {});
    /// Some may be lost now: the next one may have any higher number.
    void interrupted() { interrupted_ = true; }
    [[nodiscard]] bool is_interrupted() const { return interrupted_; }
    [[nodiscard]] std::uint64_t last() const { return last_; }

private:
    Problem problem_;
    bool gaps_allowed_, interrupted_ = false;
    std::uint64_t last_ = 0;
};

}  // namespace gs::bots
