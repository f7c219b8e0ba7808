#pragma once
// A place where entities and records are kept: one interface, a folder for each backend.
// Owner: whoever opened it; destroying it closes the files. Loop: none; one thread at a time may call it, and it
// blocks. Source: the shape of leveldb's DB and WriteBatch.
#include <span>
#include <variant>

#include "base/error.hpp"
#include "storage/operations.hpp"

namespace gs::storage {

using Request = std::variant<Open, Load, ReadRecord, ListRecords, Commit>;

using Answer = std::variant<std::monostate, Opened, Loaded, Record, RecordList, Committed, Error>;

/// A request and, once an engine has run it, what answers it: the matching reply, or an Error.
/// Errors: `invalid` (the request can never succeed; nothing was done), `unavailable` (whether it was done is unknown:
/// send the same again), `busy` (from the committer: nothing was done).
struct Operation {
    Request request;
    Answer result{};
};

class Engine {
public:
    Engine() = default;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    virtual ~Engine() = default;

    /// Runs all operations in their order in one durable transaction and fills in every result. Later operations see
    /// what earlier ones wrote. One that ends in dup, fenced, conflict or invalid leaves no trace and disturbs no
    /// other. On return a result other than Error{unavailable} is durable; if the transaction fails, every result is
    /// that Error. Rules of Commit, in this order (rules.hpp):
    ///  1. entities: another epoch -> fenced; sequence = stored + 1 -> ok; at or below stored -> dup; above -> fenced.
    ///     All must be ok, or the first one dup (then dup, whatever the others are now); any other mixture is fenced.
    ///  2. records: each version must be the expected one (0: absent), else conflict.
    /// A record's version rises by one at each write and at its deletion, and goes on from there when it is created
    /// again: an old version never becomes true a second time. So who creates a record reads it to learn its version.
    virtual void run(std::span<Operation> batch) = 0;

    /// Called when nothing waits: the moment for upkeep that would delay a batch (checkpoints).
    virtual void idle() = 0;
};

}  // namespace gs::storage
