#include "base/crypto/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/crypto/crypto.hpp"

namespace gs {
namespace {

/// A file descriptor that closes itself.
class File {
public:
    explicit File(int descriptor) : descriptor_{descriptor} {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] bool open() const { return descriptor_ >= 0; }

private:
    int descriptor_;
};

Error file_error(std::string_view what, const std::filesystem::path& path, int number) {
    auto code = Code::internal;
    if (number == ENOENT || number == ENOTDIR) code = Code::not_found;
    if (number == EACCES || number == EPERM || number == EROFS) code = Code::forbidden;
    if (number == EEXIST) code = Code::conflict;
    return Error{code, "{} {}: {}", what, path.string(), std::generic_category().message(number)};
}

bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

/// A complete and synced file beside `path`, under a name that no other process uses.
Result<std::filesystem::path> write_temporary(const std::filesystem::path& path, std::string_view text, mode_t mode) {
    auto temporary = path;
    temporary += fmt::format(".{:016x}.tmp", random_u64());
    const File file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
    if (!file.open()) return file_error("cannot create key file", path, errno);
    if (::fchmod(file.get(), mode) != 0 || !write_all(file.get(), text) || ::fsync(file.get()) != 0) {
        const auto number = errno;
        ::unlink(temporary.c_str());
        return file_error("cannot write key file", path, number);
    }
    return temporary;
}

void sync_folder(const std::filesystem::path& path) {
    const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
    const File file{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    // Not every file system can sync a folder, and the key is readable either way.
    if (file.open()) static_cast<void>(::fsync(file.get()));
}

std::string text_of(const KeyFileKind& kind, const KeyLine& line) {
    return fmt::format("{} {} {}\n", kind.label, line.id, base64url_encode(line.bytes));
}

mode_t mode_of(const KeyFileKind& kind) { return kind.secret ? 0600 : 0644; }

/// The text of a small file, refused when it is secret and others may use it.
Result<std::string> read_text(const std::filesystem::path& path, const KeyFileKind& kind) {
    const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file.open()) return file_error("cannot open key file", path, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return file_error("cannot read key file", path, errno);
    if (!S_ISREG(status.st_mode)) return not_a_key(path, kind);
    if (kind.secret && (status.st_mode & 077) != 0) {
        return Error{
            Code::forbidden,
            "private key file {} may be used by others (mode {:04o}); run: chmod 600 {} (or make a new key if others "
            "could have read it)",
            path.string(), status.st_mode & 07777, path.string()};
    }
    std::string text(kind.text_bytes_max + 1, '\0');
    const auto count = ::read(file.get(), text.data(), text.size());
    if (count < 0) return file_error("cannot read key file", path, errno);
    text.resize(static_cast<std::size_t>(count));
    return text;
}

}  // namespace

Result<void> create_key_file(const std::filesystem::path& path, const KeyFileKind& kind, const KeyLine& line) {
    const auto temporary = write_temporary(path, text_of(kind, line), mode_of(kind));
    if (!temporary) return temporary.error();
    // link() fails when the name exists, so the name appears once and only with complete content.
    const auto number = ::link(temporary->c_str(), path.c_str()) == 0 ? 0 : errno;
    ::unlink(temporary->c_str());
    if (number != 0) return file_error("cannot create key file", path, number);
    sync_folder(path);
    return {};
}

Result<void> replace_key_file(const std::filesystem::path& path, const KeyFileKind& kind, const KeyLine& line) {
    const auto temporary = write_temporary(path, text_of(kind, line), mode_of(kind));
    if (!temporary) return temporary.error();
    if (::rename(temporary->c_str(), path.c_str()) != 0) {
        const auto number = errno;
        ::unlink(temporary->c_str());
        return file_error("cannot write key file", path, number);
    }
    sync_folder(path);
    return {};
}

Result<KeyLine> read_key_file(const std::filesystem::path& path, const KeyFileKind& kind) {
    const auto read = read_text(path, kind);
    if (!read) return read.error();
    std::string_view text = *read;
    if (text.size() > kind.text_bytes_max) return not_a_key(path, kind);
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (!text.starts_with(kind.label) || !text.substr(kind.label.size()).starts_with(' ')) return not_a_key(path, kind);
    text.remove_prefix(kind.label.size() + 1);
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return not_a_key(path, kind);
    KeyLine line;
    line.id = text.substr(0, space);
    auto bytes = base64url_decode(text.substr(space + 1));
    if (!bytes) return not_a_key(path, kind);
    line.bytes = std::move(*bytes);
    return line;
}

Error not_a_key(const std::filesystem::path& path, const KeyFileKind& kind) {
    return Error{Code::invalid, "{} is not a {} file: expected one line \"{} <key id> <base64url of {}>\"",
                 path.string(), kind.name,
                 kind.label,    kind.content};
}

Error wrong_key_id(const std::filesystem::path& path, std::string_view written, std::string_view real) {
    return Error{Code::invalid,
                 "key file {} is damaged: it says key id {} but its key has id {}; restore it from a copy",
                 path.string(), written, real};
}

}  // namespace gs
