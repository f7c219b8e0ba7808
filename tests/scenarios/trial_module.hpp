#pragma once
// A module for tests only: one component of each save policy, requests that fail half way, and every way to push.
#include "api/module.hpp"

namespace gs::scenarios {

struct Wallet {
    std::uint64_t gold = 0;
    FIELDS(gold)
};
struct QuickNote {
    std::string text;
    FIELDS(text)
};
struct PeriodicNote {
    std::string text;
    FIELDS(text)
};
struct LeaveNote {
    std::string text;
    FIELDS(text)
};
GS_COMPONENT(Wallet, "wallet", Save::confirmed)
GS_COMPONENT(QuickNote, "quick_note", Save::real_time)
GS_COMPONENT(PeriodicNote, "periodic_note", Save::periodic)
GS_COMPONENT(LeaveNote, "leave_note", Save::on_leave)

struct Gold {
    std::uint64_t gold = 0;
    FIELDS(gold)
};
/// Confirmed: the answer and the push to everyone mean that it is stored.
struct Deposit {
    std::uint64_t gold = 0;
    bool tell_all = false;
    FIELDS(gold, tell_all)
};
/// Changes and pushes as Deposit does, and then fails: at once, or after it has waited.
struct FailingDeposit {
    std::uint64_t gold = 0;
    FIELDS(gold)
};
struct LateFailingDeposit {
    std::uint64_t gold = 0;
    FIELDS(gold)
};
struct CountGold {
    FIELDS()
};
struct WriteNotes {
    std::string quick, periodic, leave;  ///< empty: unchanged
    FIELDS(quick, periodic, leave)
};
struct Notes {
    std::string quick, periodic, leave;
    FIELDS(quick, periodic, leave)
};
struct ReadNotes {
    FIELDS()
};
/// Keeps the player's turn for so long.
struct Wait {
    std::uint32_t milliseconds = 0;
    FIELDS(milliseconds)
};
struct TellPlayers {
    std::vector<PlayerId> players;
    std::string text;
    FIELDS(players, text)
};
struct TellAll {
    std::string text;
    FIELDS(text)
};
/// What anyone may see of a player's wallet: a service. It waits first.
struct LookUpGold {
    PlayerId player{};
    std::uint32_t milliseconds = 0;
    FIELDS(player, milliseconds)
};
struct Told {
    std::string text;
    FIELDS(text)
};

/// Pushes what the module has not declared.
struct TellUndeclared {
    FIELDS()
};
struct Undeclared {
    FIELDS()
};

GS_REQUEST(1900, Deposit, Gold)
GS_REQUEST(1901, FailingDeposit, Gold)
GS_REQUEST(1902, LateFailingDeposit, Gold)
GS_REQUEST(1903, CountGold, Gold)
GS_REQUEST(1904, WriteNotes, Done)
GS_REQUEST(1905, ReadNotes, Notes)
GS_REQUEST(1906, Wait, Done)
GS_REQUEST(1907, TellPlayers, Done)
GS_REQUEST(1908, TellAll, Done)
GS_PUSH(1909, Told)
GS_REQUEST(1910, LookUpGold, Gold)
GS_REQUEST(1911, TellUndeclared, Done)
GS_PUSH(1912, Undeclared)

/// In a scene, and tells all who are in it; a failing one does neither. With `more` it enters so many others as well.
struct TellScene {
    std::string scene, text;
    bool enter = false, fail = false, leave = false;
    std::uint32_t more = 0;
    PlayerId first{};  ///< is told alone before
    FIELDS(scene, text, enter, fail, leave, more, first)
};
/// A state of one player's own; with `between`, one turn tells that before and after it too.
struct TellMood {
    PlayerId player{};
    std::string text;
    std::string between{};
    FIELDS(player, text, between)
};
struct Mood {
    static constexpr bool state = true;
    std::string text;
    FIELDS(text)
};
GS_REQUEST(1913, TellScene, Done)
GS_REQUEST(1914, TellMood, Done)
GS_PUSH(1915, Mood)

/// While true, the module's leave hook fails.
extern bool trial_leave_fails;
/// Called in the module's enter hook, when it is set.
extern std::function<void()> trial_entering;

}  // namespace gs::scenarios

namespace gs {
extern const ModuleInfo trial_module;
}
