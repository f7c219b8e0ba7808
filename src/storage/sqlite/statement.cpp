#include "storage/sqlite/statement.hpp"

namespace gs::storage::sqlite {

Connection connect(const std::string& path) {
    sqlite3* opened = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
    Connection connection{opened};  // there is one even if opening failed, and it holds the reason
    require(opened, code);
    return connection;
}

void require(sqlite3* connection, int code) {
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
    throw Failure{code, connection == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection)};
}

void execute(sqlite3* connection, const char* sql) {
    require(connection, sqlite3_exec(connection, sql, nullptr, nullptr, nullptr));
}

Statement::Statement(sqlite3* connection, std::string_view sql) {
    sqlite3_stmt* prepared = nullptr;
    require(connection, sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()),
                                           SQLITE_PREPARE_PERSISTENT, &prepared, nullptr));
    handle_.reset(prepared);
}

bool Query::next() {
    const int code = sqlite3_step(handle_);
    require(sqlite3_db_handle(handle_), code);
    return code == SQLITE_ROW;
}

// SQLite knows signed integers only: the 64 bits are kept as they are.
std::uint64_t Query::number(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(handle_, column));
}

std::string_view Query::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return {text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))};
}

void Query::bind(std::uint64_t value) {
    require(sqlite3_db_handle(handle_), sqlite3_bind_int64(handle_, ++bound_, static_cast<sqlite3_int64>(value)));
}

void Query::bind(std::string_view value) {
    const char* text = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
    require(sqlite3_db_handle(handle_),
            sqlite3_bind_text64(handle_, ++bound_, text, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Query::bind(std::nullptr_t /*null*/) { require(sqlite3_db_handle(handle_), sqlite3_bind_null(handle_, ++bound_)); }

}  // namespace gs::storage::sqlite
