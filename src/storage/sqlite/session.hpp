#pragma once
// One open handle on the database file: the schema, the prepared statements, and a transaction for each batch.
// Owner: the engine, which replaces it after an I/O error. Errors: all functions throw Failure.
#include <span>
#include <string>

#include "storage/rules.hpp"
#include "storage/sqlite/statement.hpp"

namespace gs::storage::sqlite {

class Session {
public:
    /// Throws Error too, for a file of another program or of a newer server.
    explicit Session(const std::string& path);

    void run(std::span<Operation> batch);

    /// Copies the log into the database if that is due at this moment: early when idle, late under load.
    enum class Moment { idle, loaded };
    void checkpoint(Moment moment);

    /// Empties the log that an earlier handle left after an error: it may hold frames that never reached the disk, and
    /// what is appended behind them would not be found again after a crash.
    void settle();

private:
    struct Statements {
        explicit Statements(sqlite3* connection);
        Statement begin, commit, open, owner, components, advance, change_component, add_component, read_record,
            list_records, version, set_record;
    };

    Answer answer(const Open& open);
    Loaded answer(const Load& load);
    Record answer(const ReadRecord& read);
    RecordList answer(const ListRecords& list);
    Committed answer(const Commit& commit);
    void write(const Commit& commit);
    /// False, and nothing is written, unless this is the next write of the entity's owner.
    bool advance(const EntityWrite& write);
    void set_components(const EntityWrite& write);
    std::optional<Ownership> owner_of(const EntityKey& key);
    std::vector<ComponentData> components_of(const EntityKey& key);

    Connection connection_;
    Statements statements_;
    int log_pages_ = 0;
    int checkpointed_pages_ = 0;  ///< what the log held after the last checkpoint
};

}  // namespace gs::storage::sqlite
