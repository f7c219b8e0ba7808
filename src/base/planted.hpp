#pragma once
// Mistakes that the simulator must find: a build with GS_PLANTED_BUGS can switch one of them on, any other build has no
// trace of them. Loop: set before the simulation begins.
#include <string_view>

namespace gs {

enum class PlantedBug {
    none,
    skip_epoch_check,       ///< storage takes the writes of former owners
    accept_old_sequence,    ///< storage takes a write that it has already
    confirm_before_commit,  ///< storage answers before the transaction is durable
    lost_unknown,           ///< a write whose answer is lost is not sent again
    early_reply,            ///< the client hears of a change before storage has it
    delete_by_player,       ///< the end of an old connection removes the player of a newer one
    kick_before_epoch,      ///< a login waits for the old connection before the epoch rises
    grant_before_rebuild,   ///< a restarted center places players before it knows who is where
    stale_push,             ///< the gateway gives messages of an old connection to the new one
    forgotten_undo,         ///< what a failed request changed stays
    unbounded_queue,        ///< nobody looks how much a client does not read
    reused_numbers,         ///< a channel goes on from the last line that was saved
    resume_checks_last,     ///< the center looks at a session's proof when the old connection is gone already
    run_again,              ///< a request that comes again after a resume is run again
    ring_in_gateway,        ///< what was sent to a connection is not kept for the next one
    forgotten_mark,         ///< a write does not say which requests it contains
};

#ifdef GS_PLANTED_BUGS
inline PlantedBug planted_bug = PlantedBug::none;
[[nodiscard]] inline bool planted(PlantedBug bug) { return planted_bug == bug; }
#else
[[nodiscard]] constexpr bool planted(PlantedBug /*bug*/) { return false; }
#endif

}  // namespace gs
