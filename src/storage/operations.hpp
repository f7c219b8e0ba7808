#pragma once
// What can be asked of storage. Two kinds of data: entities (owned, fenced by epoch and sequence, made of components)
// and records (free values, changed by compare-and-swap: accounts, unique names, counters, the center's term).
// Component and record data is JSON text, so that an operator reads it with any SQL client.
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/message.hpp"

namespace gs::storage {

struct ComponentData {
    std::string name;
    std::string data;
    FIELDS(name, data)
};

/// The generations of an entity as they are stored: its owner, and that one's last write.
struct Ownership {
    OwnerEpoch epoch{};
    std::uint64_t sequence = 0;
    auto operator<=>(const Ownership&) const = default;
    FIELDS(epoch, sequence)
};

/// Makes the caller the entity's owner: the epoch rises by one, the sequence starts again at 0. Creates what is new.
/// With `expected`: only while that owner's write is the last one. Errors: fenced: it is not, nothing was done.
struct Opened {
    OwnerEpoch epoch{};
    std::vector<ComponentData> components;
    std::string mark{};  ///< of the last write that had one
    FIELDS(epoch, components, mark)
};
struct Open {
    EntityKey key;
    std::optional<Ownership> expected{};
    FIELDS(key, expected)
};

/// Reads an entity without owning it; an unknown one has no components.
struct Loaded {
    std::vector<ComponentData> components;
    FIELDS(components)
};
struct Load {
    EntityKey key;
    FIELDS(key)
};

struct Record {
    std::uint64_t version = 0;  ///< 0: there is no such record
    std::string data;
    FIELDS(version, data)
};
struct ReadRecord {
    std::string space, key;
    FIELDS(space, key)
};

/// The records of a space in the order of their keys, a page at a time.
struct NamedRecord {
    std::string key;
    std::uint64_t version = 0;
    std::string data;
    FIELDS(key, version, data)
};
struct RecordList {
    std::vector<NamedRecord> records;  ///< fewer than were asked for: there are no more
    FIELDS(records)
};
struct ListRecords {
    std::string space;
    std::string after;  ///< the last key of the page before; empty: from the first
    std::uint32_t most = 1000;
    FIELDS(space, after, most)
};

struct EntityWrite {
    EntityKey key;
    OwnerEpoch epoch{};
    std::uint64_t sequence = 0;  ///< 1, 2, 3 ... within the epoch
    std::vector<ComponentData> components;
    std::string mark{};  ///< JSON: what the host notes about this write (which requests it contains); empty: as before
    FIELDS(key, epoch, sequence, components, mark)
};

/// Replaces a record whose version is still `expected`; 0 means that it must not exist. No data deletes it.
struct RecordWrite {
    std::string space, key;
    std::uint64_t expected = 0;
    std::optional<std::string> data;
    FIELDS(space, key, expected, data)
};

enum class Outcome : std::uint8_t {
    ok = 0,
    dup = 1,       ///< this (epoch, sequence) was committed before; nothing was done now
    fenced = 2,    ///< a newer owner exists, or an earlier sequence is missing; nothing was done
    conflict = 3,  ///< a record's version differs; nothing was done
};

struct Committed {
    Outcome outcome = Outcome::ok;
    FIELDS(outcome)
};
/// All or nothing. An error instead of Committed means UNKNOWN: send the same again, it becomes ok or dup.
struct Commit {
    std::vector<EntityWrite> entities;  ///< who asks comes first: its number tells whether this was done before
    std::vector<RecordWrite> records;
    FIELDS(entities, records)
};

GS_CALL(50, Open, Opened)
GS_CALL(51, Load, Loaded)
GS_CALL(52, ReadRecord, Record)
GS_CALL(53, Commit, Committed)
GS_CALL(54, ListRecords, RecordList)

}  // namespace gs::storage
