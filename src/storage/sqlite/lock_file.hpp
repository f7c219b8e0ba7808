#pragma once
// Exclusive use of a database by one process, held by an flock on a file beside it. The database's own locks stay free,
// so an operator can look at it with `sqlite3 -readonly` while the server runs.
#include <string>
#include <utility>

#include "base/result.hpp"

namespace gs::storage::sqlite {

/// Owner: the engine. The lock ends with this object or with the process, however that ends; the file stays.
class LockFile {
public:
    /// Errors: `unavailable` (held by another process, directory missing or not writable); the text says which.
    [[nodiscard]] static Result<LockFile> acquire(const std::string& database_path);

    LockFile(LockFile&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
    LockFile& operator=(LockFile&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~LockFile();

private:
    explicit LockFile(int descriptor) : descriptor_{descriptor} {}

    int descriptor_;
};

}  // namespace gs::storage::sqlite
