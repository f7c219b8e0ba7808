#pragma once
// Mistakes that the simulator must find: a build with GS_PLANTED_BUGS can switch one of them on, any other build has no
// trace of them. Loop: set before the simulation begins.
#include <string_view>

/// The one list: X(name, what is done wrong).
#define GS_EACH_PLANTED_BUG(X)                                                                             \
    X(skip_epoch_check, "storage takes the writes of former owners")                                       \
    X(accept_old_sequence, "storage takes a write that it has already")                                    \
    X(confirm_before_commit, "storage answers before the transaction is durable")                          \
    X(lost_unknown, "a write whose answer is lost is not sent again")                                      \
    X(early_reply, "the client hears of a change before storage has it")                                   \
    X(delete_by_player, "the end of an old connection removes the player of a newer one")                  \
    X(kick_before_epoch, "a login waits for the old connection before the epoch rises")                    \
    X(grant_before_rebuild, "a restarted center places players before it knows who is where")              \
    X(stale_push, "the gateway gives messages of an old connection to the new one")                        \
    X(forgotten_undo, "what a failed request changed stays")                                               \
    X(unbounded_queue, "nobody looks how much a client does not read")                                     \
    X(reused_numbers, "a channel goes on from the last line that was saved")                               \
    X(resume_checks_last, "the center looks at a session's proof when the old connection is gone already") \
    X(unchecked_proof, "the center takes a session whose proof is wrong")                                  \
    X(run_again, "a request that comes again after a resume is run again")                                 \
    X(ring_in_gateway, "what was sent to a connection is not kept for the next one")                       \
    X(push_to_nobody, "a push to a player whose connection is lost is dropped")                            \
    X(forgotten_mark, "a write does not say which requests it contains")                                   \
    X(half_trade, "of two players who change together only one is written")                                \
    X(credit_twice, "a payment that was credited is credited again")                                       \
    X(queue_after_freeze, "a game that gives a player away keeps what is pushed to the player")            \
    X(two_keepers, "any center answers for a player, not only the one that keeps the player")

namespace gs {

enum class PlantedBug {
    none,
#define GS_NAME_OF_BUG(name, mistake) name,
    GS_EACH_PLANTED_BUG(GS_NAME_OF_BUG)
#undef GS_NAME_OF_BUG
};

#ifdef GS_PLANTED_BUGS
inline PlantedBug planted_bug = PlantedBug::none;
[[nodiscard]] inline bool planted(PlantedBug bug) { return planted_bug == bug; }
#else
[[nodiscard]] constexpr bool planted(PlantedBug /*bug*/) { return false; }
#endif

}  // namespace gs
