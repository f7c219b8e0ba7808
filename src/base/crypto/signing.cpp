#include "base/crypto/signing.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>

#include "base/crypto/crypto.hpp"

namespace gs {
namespace {

constexpr std::string_view private_label = "gs-ed25519-private";
constexpr std::string_view public_label = "gs-ed25519-public";
constexpr std::size_t key_file_bytes_max = 256;
constexpr mode_t private_mode = 0600;
constexpr mode_t public_mode = 0644;

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

Error not_a_key(const std::filesystem::path& path, std::string_view label) {
    return Error{Code::invalid, "{} is not a key file: expected one line \"{} <key id> <base64url of 32 bytes>\"",
                 path.string(), label};
}

/// The text of a small file, refused when it is private and others may read it.
Result<std::string> read_key_file(const std::filesystem::path& path, std::string_view label) {
    const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file.open()) return file_error("cannot open key file", path, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return file_error("cannot read key file", path, errno);
    if (!S_ISREG(status.st_mode)) return not_a_key(path, label);
    if (label == private_label && (status.st_mode & 077) != 0) {
        return Error{
            Code::forbidden,
            "private key file {} may be used by others (mode {:04o}); run: chmod 600 {} (or make a new key if others "
            "could have read it)",
            path.string(), status.st_mode & 07777, path.string()};
    }
    std::string text(key_file_bytes_max + 1, '\0');
    const auto count = ::read(file.get(), text.data(), text.size());
    if (count < 0) return file_error("cannot read key file", path, errno);
    text.resize(static_cast<std::size_t>(count));
    return text;
}

std::string key_line(std::string_view label, std::string_view id, const std::array<std::uint8_t, 32>& bytes) {
    return fmt::format("{} {} {}\n", label, id, base64url_encode(bytes));
}

struct KeyLine {
    std::string id;
    std::array<std::uint8_t, 32> bytes{};
};

std::optional<KeyLine> parse_key_line(std::string_view text, std::string_view label) {
    if (text.size() > key_file_bytes_max) return {};
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (!text.starts_with(label) || !text.substr(label.size()).starts_with(' ')) return {};
    text.remove_prefix(label.size() + 1);
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return {};
    KeyLine line;
    line.id = text.substr(0, space);
    const auto bytes = base64url_decode(text.substr(space + 1));
    if (!bytes || bytes->size() != line.bytes.size()) return {};
    std::copy(bytes->begin(), bytes->end(), line.bytes.begin());
    return line;
}

Error wrong_id(const std::filesystem::path& path, std::string_view written, std::string_view real) {
    return Error{Code::invalid,
                 "key file {} is damaged: it says key id {} but its key has id {}; restore it from a copy",
                 path.string(), written, real};
}

}  // namespace

PublicKey::PublicKey(const std::array<std::uint8_t, 32>& bytes)
    : bytes_{bytes}, id_{hex_encode(BytesView{blake2b_256(bytes)}.first(8))} {}

bool PublicKey::verify(BytesView message, const Signature& signature) const {
    return crypto_sign_verify_detached(signature.data(), message.data(), message.size(), bytes_.data()) == 0;
}

SigningKey::SigningKey(const std::array<std::uint8_t, 64>& secret, const std::array<std::uint8_t, 32>& public_bytes)
    : secret_{secret}, public_key_{public_bytes} {}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

SigningKey SigningKey::generate() {
    std::array<std::uint8_t, 32> seed{};
    fill_random(seed);
    auto key = from_seed(seed);
    sodium_memzero(seed.data(), seed.size());
    return key;
}

SigningKey SigningKey::from_seed(const std::array<std::uint8_t, 32>& seed) {
    std::array<std::uint8_t, 32> public_bytes{};
    std::array<std::uint8_t, 64> secret{};
    crypto_sign_seed_keypair(public_bytes.data(), secret.data(), seed.data());
    SigningKey key{secret, public_bytes};
    sodium_memzero(secret.data(), secret.size());
    return key;
}

std::array<std::uint8_t, 32> SigningKey::seed() const {
    std::array<std::uint8_t, 32> seed{};
    crypto_sign_ed25519_sk_to_seed(seed.data(), secret_.data());
    return seed;
}

Signature SigningKey::sign(BytesView message) const {
    Signature signature{};
    crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), secret_.data());
    return signature;
}

Result<void> save_private_key(const std::filesystem::path& path, const SigningKey& key) {
    const auto temporary = write_temporary(path, key_line(private_label, key.id(), key.seed()), private_mode);
    if (!temporary) return temporary.error();
    // link() fails when the name exists, so the name appears once and only with complete content.
    const auto number = ::link(temporary->c_str(), path.c_str()) == 0 ? 0 : errno;
    ::unlink(temporary->c_str());
    if (number != 0) return file_error("cannot create key file", path, number);
    sync_folder(path);
    return {};
}

Result<SigningKey> load_private_key(const std::filesystem::path& path) {
    const auto text = read_key_file(path, private_label);
    if (!text) return text.error();
    const auto line = parse_key_line(*text, private_label);
    if (!line) return not_a_key(path, private_label);
    auto key = SigningKey::from_seed(line->bytes);
    if (key.id() != line->id) return wrong_id(path, line->id, key.id());
    return key;
}

Result<SigningKey> load_or_create_private_key(const std::filesystem::path& path) {
    auto existing = load_private_key(path);
    if (existing || existing.error().code() != Code::not_found) return existing;
    const auto saved = save_private_key(path, SigningKey::generate());
    if (!saved && saved.error().code() != Code::conflict) return saved.error();
    return load_private_key(path);
}

Result<void> save_public_key(const std::filesystem::path& path, const PublicKey& key) {
    const auto temporary = write_temporary(path, key_line(public_label, key.id(), key.bytes()), public_mode);
    if (!temporary) return temporary.error();
    if (::rename(temporary->c_str(), path.c_str()) != 0) {
        const auto number = errno;
        ::unlink(temporary->c_str());
        return file_error("cannot write key file", path, number);
    }
    sync_folder(path);
    return {};
}

Result<PublicKey> load_public_key(const std::filesystem::path& path) {
    const auto text = read_key_file(path, public_label);
    if (!text) return text.error();
    const auto line = parse_key_line(*text, public_label);
    if (!line) return not_a_key(path, public_label);
    PublicKey key{line->bytes};
    if (key.id() != line->id) return wrong_id(path, line->id, key.id());
    return key;
}

}  // namespace gs
