#include "storage/sqlite/sqlite_engine.hpp"

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "storage/rules.hpp"
#include "storage/sqlite/lock_file.hpp"
#include "storage/sqlite/session.hpp"

namespace gs::storage {

namespace {

using sqlite::Failure;

std::string explain(const std::string& path, const Failure& failure) {
    switch (failure.primary()) {
        case SQLITE_FULL:
            return fmt::format("the disk that holds the database \"{}\" is full; free some space", path);
        case SQLITE_NOTADB:
            return fmt::format("\"{}\" is not a database; give another path, or move the file away", path);
        case SQLITE_CORRUPT:
            return fmt::format("the database \"{}\" is damaged ({}); restore a backup", path, failure.text);
        case SQLITE_BUSY:
            return fmt::format("the database \"{}\" is being written by another program; end its transaction", path);
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
            return fmt::format("the database \"{}\" cannot be opened for writing ({}); check its owner and permissions",
                               path, failure.text);
        default:
            return fmt::format("the database \"{}\" failed: {} (SQLite code {})", path, failure.text, failure.code);
    }
}

class SqliteEngine final : public Engine {
public:
    SqliteEngine(std::string path, sqlite::LockFile lock) : path_{std::move(path)}, lock_{std::move(lock)} {}

    /// Throws Failure or Error.
    void open() { session_ = std::make_unique<sqlite::Session>(path_); }

    void run(std::span<Operation> batch) override {
        try {
            if (!session_) reopen();
            session_->run(batch);
        } catch (const Failure& failure) {
            fail_all(batch, explain(path_, failure));
            give_up_handle(failure);
            return;
        } catch (const Error& error) {
            fail_all(batch, error.message());
            return;
        }
        checkpoint(sqlite::Session::Moment::loaded);  // the batch is durable, whatever becomes of this
    }

    void idle() override { checkpoint(sqlite::Session::Moment::idle); }

private:
    void checkpoint(sqlite::Session::Moment moment) {
        if (!session_) return;
        try {
            session_->checkpoint(moment);
        } catch (const Failure& failure) {
            give_up_handle(failure);
        }
    }

    // After an I/O error nobody knows which of the written pages reached the disk, and the kernel may report a repeated
    // fsync as good: start from what the file says. A full disk and a foreign lock leave the handle sound.
    void give_up_handle(const Failure& failure) {
        if (failure.primary() == SQLITE_FULL || failure.primary() == SQLITE_BUSY) return;
        session_.reset();
    }

    void reopen() {
        open();
        try {
            session_->settle();
        } catch (...) {
            session_.reset();
            throw;
        }
    }

    std::string path_;
    sqlite::LockFile lock_;
    std::unique_ptr<sqlite::Session> session_;
};

// SQLite would make the file readable for everyone, and its companions take over its permissions.
void create_private(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor >= 0) ::close(descriptor);  // if it failed, SQLite will meet the same reason and name it
}

}  // namespace

Result<std::unique_ptr<Engine>> open_sqlite_engine(const std::string& path) {
    auto absolute = std::filesystem::absolute(path).string();
    auto lock = sqlite::LockFile::acquire(absolute);
    if (!lock) return lock.error();
    create_private(absolute);
    auto engine = std::make_unique<SqliteEngine>(absolute, std::move(*lock));
    try {
        engine->open();
    } catch (const Failure& failure) {
        return Error::verbatim(Code::unavailable, explain(absolute, failure));
    } catch (const Error& error) {
        return error;
    }
    return std::unique_ptr<Engine>{std::move(engine)};
}

}  // namespace gs::storage
