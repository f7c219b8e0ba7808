#include "storage/sqlite/lock_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace gs::storage::sqlite {

namespace {

Error explain_open(const std::string& database_path, const std::string& lock_path, int reason) {
    if (reason == ENOENT || reason == ENOTDIR) {
        return {Code::unavailable,
                "cannot open the database \"{}\": its directory does not exist; create it or correct the path",
                database_path};
    }
    if (reason == EACCES || reason == EPERM || reason == EROFS) {
        return {Code::unavailable,
                "cannot open the database \"{}\": its directory is not writable for this user ({}); give it to the "
                "user that "
                "runs the server",
                database_path, std::strerror(reason)};
    }
    return {Code::unavailable, "cannot open the database \"{}\": the lock file \"{}\" cannot be opened: {}",
            database_path, lock_path, std::strerror(reason)};
}

}  // namespace

Result<LockFile> LockFile::acquire(const std::string& database_path) {
    const auto lock_path = database_path + ".lock";
    const int descriptor = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return explain_open(database_path, lock_path, errno);
    LockFile lock{descriptor};
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno == EWOULDBLOCK) {
        return Error{Code::unavailable,
                     "the database \"{}\" is in use by another process (stop it, or give another data directory)",
                     database_path};
    }
    return Error{Code::unavailable, "cannot lock \"{}\": {}", lock_path, std::strerror(errno)};
}

LockFile::~LockFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace gs::storage::sqlite
