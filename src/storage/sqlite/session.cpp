#include "storage/sqlite/session.hpp"

#include <utility>

namespace gs::storage::sqlite {

namespace {

constexpr std::uint64_t schema_version = 2;
constexpr std::uint64_t application_id = 0x67737631;  // "gsv1": tells our files from those of other programs
constexpr int busy_timeout_ms = 5000;                 // an operator's shell may write for a moment

// Pages of 4 KiB. Idle: small, since it costs nobody anything. Loaded: rare, since the batch behind it waits.
constexpr int idle_checkpoint_pages = 250;
constexpr int loaded_checkpoint_pages = 4000;

// component has a rowid: clustered rows of this size make an index of few rows to a page, which is twice as slow as
// soon as there are many entities (measured: 200,000, random access, 512 bytes).
constexpr const char* schema = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE entity (  -- who owns what: epoch rises with each new owner, sequence with each of its saves
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    mark TEXT,  -- JSON: what the owner noted about its last save
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE component (  -- what an entity consists of: data is JSON
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (kind, id, name)
) STRICT;
CREATE TABLE record (  -- values by name: data is JSON; NULL: deleted, kept so that no version is used twice
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    data TEXT,
    PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;
)sql";
constexpr const char* schema_from_1 = "BEGIN IMMEDIATE; ALTER TABLE entity ADD COLUMN mark TEXT;";

std::uint64_t read_number(sqlite3* connection, std::string_view sql) {
    Statement statement{connection, sql};
    Query query{statement};
    query.next();
    return query.number(0);
}

// Looks before anything is changed: a wrong path must not leave our marks in somebody's file.
void check_file(sqlite3* connection, const std::string& path) {
    const bool empty = read_number(connection, "SELECT count(*) FROM sqlite_schema") == 0;
    if (!empty && read_number(connection, "PRAGMA application_id") != application_id) {
        throw Error{Code::unavailable, "\"{}\" is a database of another program; give another path", path};
    }
    const auto version = read_number(connection, "PRAGMA user_version");
    if (version > schema_version) {
        throw Error{
            Code::unavailable,
            "the database \"{}\" was written by a newer server (schema {}, this one knows {}); start that server, or "
            "restore a backup",
            path, version, schema_version};
    }
}

void set_up(sqlite3* connection, const std::string& path) {
    {
        Statement statement{connection, "PRAGMA journal_mode = WAL"};
        Query query{statement};
        if (!query.next() || query.text(0) != "wal") {
            throw Error{Code::unavailable,
                        "the file system of \"{}\" cannot share memory between processes, which the log needs; use a "
                        "local disk",
                        path};
        }
    }
    execute(connection,
            "PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 0;"
            "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -65536");
    const auto version = read_number(connection, "PRAGMA user_version");
    if (version == schema_version) return;
    const auto marks =
        fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT", application_id, schema_version);
    execute(connection, ((version == 1 ? schema_from_1 : schema) + marks).c_str());
}

Connection open_database(const std::string& path) {
    auto connection = connect(path);
    sqlite3_busy_timeout(connection.get(), busy_timeout_ms);
    check_file(connection.get(), path);
    set_up(connection.get(), path);
    return connection;
}

}  // namespace

Session::Statements::Statements(sqlite3* connection)
    : begin{connection, "BEGIN IMMEDIATE"},
      commit{connection, "COMMIT"},
      open{connection,
           "INSERT INTO entity (kind, id, epoch, sequence) VALUES (?1, ?2, 1, 0)"
           " ON CONFLICT DO UPDATE SET epoch = epoch + 1, sequence = 0 RETURNING epoch, mark"},
      owner{connection, "SELECT epoch, sequence FROM entity WHERE kind = ?1 AND id = ?2"},
      components{connection, "SELECT name, data FROM component WHERE kind = ?1 AND id = ?2 ORDER BY name"},
      advance{connection,
              "UPDATE entity SET sequence = ?3, mark = ifnull(?6, mark)"
              " WHERE kind = ?1 AND id = ?2 AND epoch = ?4 AND sequence = ?5"},
      change_component{connection, "UPDATE component SET data = ?4 WHERE kind = ?1 AND id = ?2 AND name = ?3"},
      add_component{connection, "INSERT INTO component (kind, id, name, data) VALUES (?1, ?2, ?3, ?4)"},
      read_record{connection, "SELECT version, data FROM record WHERE space = ?1 AND key = ?2 AND data IS NOT NULL"},
      list_records{connection,
                   "SELECT key, version, data FROM record WHERE space = ?1 AND key > ?2 AND data IS NOT NULL"
                   " ORDER BY key LIMIT ?3"},
      version{connection, "SELECT version FROM record WHERE space = ?1 AND key = ?2 AND data IS NOT NULL"},
      set_record{connection,
                 "INSERT INTO record (space, key, version, data) VALUES (?1, ?2, 1, ?3)"
                 " ON CONFLICT DO UPDATE SET version = version + 1, data = excluded.data"} {}

Session::Session(const std::string& path) : connection_{open_database(path)}, statements_{connection_.get()} {
    const auto note_pages = [](void* pages, sqlite3* /*connection*/, const char* /*name*/, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
    };
    sqlite3_wal_hook(connection_.get(), note_pages, &log_pages_);
}

void Session::run(std::span<Operation> batch) {
    try {
        execute(statements_.begin);
        for (auto& operation : batch) {
            if (auto refused = refusal(operation.request)) {
                operation.result = std::move(*refused);
                continue;
            }
            std::visit([&](const auto& request) { operation.result = answer(request); }, operation.request);
        }
        execute(statements_.commit);
    } catch (...) {
        // Severe failures have rolled back already; if this fails too, the engine gives the handle up.
        if (sqlite3_get_autocommit(connection_.get()) == 0) execute(connection_.get(), "ROLLBACK");
        throw;
    }
}

void Session::checkpoint(Moment moment) {
    const int due = moment == Moment::idle ? idle_checkpoint_pages : loaded_checkpoint_pages;
    // Counted from the last one: a reader that keeps the log from being reused must not cause one for each batch.
    if (log_pages_ < checkpointed_pages_) checkpointed_pages_ = 0;
    if (log_pages_ - checkpointed_pages_ < due) return;
    const int code = sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    checkpointed_pages_ = log_pages_;
    if ((code & 0xff) != SQLITE_BUSY) require(connection_.get(), code);
}

void Session::settle() {
    // Busy means that a reader kept the log's index alive; it does not list the frames that failed.
    const int code =
        sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if ((code & 0xff) != SQLITE_BUSY) require(connection_.get(), code);
}

Answer Session::answer(const Open& open) {
    if (open.expected) {
        if (auto refused = judge_open(open, owner_of(open.key))) return std::move(*refused);
    }
    Opened opened;
    {
        Query query{statements_.open, open.key.kind, open.key.id};
        query.next();
        opened.epoch = OwnerEpoch{query.number(0)};
        opened.mark = query.text(1);
        query.next();  // a statement with RETURNING ends only when it is stepped to its end
    }
    opened.components = components_of(open.key);
    return opened;
}

Loaded Session::answer(const Load& load) { return {.components = components_of(load.key)}; }

Record Session::answer(const ReadRecord& read) {
    Query query{statements_.read_record, read.space, read.key};
    if (!query.next()) return {};
    return {.version = query.number(0), .data = std::string{query.text(1)}};
}

RecordList Session::answer(const ListRecords& list) {
    RecordList found;
    Query query{statements_.list_records, list.space, list.after, std::uint64_t{list.most}};
    while (query.next()) {
        found.records.push_back(
            {.key = std::string{query.text(0)}, .version = query.number(1), .data = std::string{query.text(2)}});
    }
    return found;
}

Committed Session::answer(const Commit& commit) {
    // By far the most frequent commit: its condition and its first write are one statement.
    if (commit.entities.size() == 1 && commit.records.empty() && advance(commit.entities.front())) {
        set_components(commit.entities.front());
        return {Outcome::ok};
    }
    const auto find_owner = [this](const EntityKey& key) { return owner_of(key); };
    const auto find_version = [this](const std::string& space, const std::string& key) {
        Query query{statements_.version, space, key};
        return query.next() ? query.number(0) : 0;
    };
    const auto outcome = judge(commit, find_owner, find_version);
    if (outcome == Outcome::ok) write(commit);
    return {outcome};
}

void Session::write(const Commit& commit) {
    for (const auto& write : commit.entities) {
        advance(write);
        set_components(write);
    }
    for (const auto& write : commit.records) {
        if (write.data) {
            execute(statements_.set_record, write.space, write.key, *write.data);
        } else if (write.expected != 0) {  // otherwise it asked only that there is none
            execute(statements_.set_record, write.space, write.key, nullptr);
        }
    }
}

bool Session::advance(const EntityWrite& write) {
    const auto epoch = static_cast<std::uint64_t>(write.epoch);
    if (write.mark.empty()) {
        execute(statements_.advance, write.key.kind, write.key.id, write.sequence, epoch, write.sequence - 1, nullptr);
    } else {
        execute(statements_.advance, write.key.kind, write.key.id, write.sequence, epoch, write.sequence - 1,
                write.mark);
    }
    return sqlite3_changes(connection_.get()) == 1;
}

// Nearly always the component is there already, and an upsert costs more than the update.
void Session::set_components(const EntityWrite& write) {
    for (const auto& component : write.components) {
        execute(statements_.change_component, write.key.kind, write.key.id, component.name, component.data);
        if (sqlite3_changes(connection_.get()) == 1) continue;
        execute(statements_.add_component, write.key.kind, write.key.id, component.name, component.data);
    }
}

std::optional<Ownership> Session::owner_of(const EntityKey& key) {
    Query query{statements_.owner, key.kind, key.id};
    if (!query.next()) return std::nullopt;
    return Ownership{.epoch = OwnerEpoch{query.number(0)}, .sequence = query.number(1)};
}

std::vector<ComponentData> Session::components_of(const EntityKey& key) {
    std::vector<ComponentData> components;
    Query query{statements_.components, key.kind, key.id};
    while (query.next()) components.push_back({.name = std::string{query.text(0)}, .data = std::string{query.text(1)}});
    return components;
}

}  // namespace gs::storage::sqlite
