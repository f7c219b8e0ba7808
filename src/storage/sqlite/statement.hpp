#pragma once
// A connection and prepared statements of SQLite as values; failures are thrown and never leave the sqlite folder.
// Owner: a Statement dies before its Connection. Loop: one thread at a time, like the engine.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sqlite3.h>

namespace gs::storage::sqlite {

struct Failure {
    int code;  ///< extended result code
    std::string text;

    [[nodiscard]] int primary() const { return code & 0xff; }
};

struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Connection = std::unique_ptr<sqlite3, Close>;

[[nodiscard]] Connection connect(const std::string& path);

/// Throws Failure unless the code means success.
void require(sqlite3* connection, int code);
void execute(sqlite3* connection, const char* sql);

class Statement {
public:
    Statement(sqlite3* connection, std::string_view sql);

private:
    friend class Query;
    std::unique_ptr<sqlite3_stmt, Close> handle_;
};

/// One execution of a statement: bound when made, reset when it goes. Texts that are bound must outlive it; a text that
/// is read lives until the next step.
class Query {
public:
    template <class... Values>
    explicit Query(Statement& statement, const Values&... values) : handle_{statement.handle_.get()} {
        (bind(values), ...);
    }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    ~Query() { sqlite3_reset(handle_); }

    /// Steps to the next row; false when there is none.
    bool next();
    [[nodiscard]] std::uint64_t number(int column) const;
    [[nodiscard]] std::string_view text(int column) const;

private:
    void bind(std::uint64_t value);
    void bind(std::string_view value);
    void bind(std::nullptr_t null);

    sqlite3_stmt* handle_;
    int bound_ = 0;
};

/// For statements without rows.
template <class... Values>
void execute(Statement& statement, const Values&... values) {
    Query query{statement, values...};
    while (query.next()) {
    }
}

}  // namespace gs::storage::sqlite
