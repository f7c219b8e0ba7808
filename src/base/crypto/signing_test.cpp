#include "base/crypto/signing.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

#include "base/crypto/crypto.hpp"

using namespace gs;
namespace fs = std::filesystem;

namespace {

struct TemporaryFolder {
    TemporaryFolder() : path{fs::temp_directory_path() / fmt::format("gs-signing-{:016x}", random_u64())} {
        fs::create_directory(path);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { fs::remove_all(path); }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator{path}, fs::directory_iterator{}));
    }
    fs::path path;
};

std::string read_text(const fs::path& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

void write_text(const fs::path& path, std::string_view text, mode_t mode = 0600) {
    std::ofstream{path} << text;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
}

std::array<std::uint8_t, 32> key_bytes(std::string_view base64url) {
    std::array<std::uint8_t, 32> bytes{};
    const auto decoded = base64url_decode(base64url).value();
    std::copy(decoded.begin(), decoded.end(), bytes.begin());
    return bytes;
}

}  // namespace

TEST_CASE("signature of RFC 8037 appendix A.4", "[crypto][signing]") {
    crypto_init().value();
    const auto key = SigningKey::from_seed(key_bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
    REQUIRE(base64url_encode(key.public_key().bytes()) == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");

    const auto message = as_bytes("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
    auto signature = key.sign(message);
    REQUIRE(base64url_encode(signature) ==
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    REQUIRE(key.public_key().verify(message, signature));

    REQUIRE_FALSE(key.public_key().verify(message.first(message.size() - 1), signature));
    REQUIRE_FALSE(SigningKey::generate().public_key().verify(message, signature));
    for (std::size_t index = 0; index < signature.size(); ++index) {
        signature[index] ^= 1;
        REQUIRE_FALSE(key.public_key().verify(message, signature));
        signature[index] ^= 1;
    }
}

TEST_CASE("a saved key pair loads as the same pair", "[crypto][signing]") {
    const TemporaryFolder folder;
    const auto key = SigningKey::generate();
    save_private_key(folder.path / "login.key", key).value();
    save_public_key(folder.path / "login.pub", key.public_key()).value();
    save_public_key(folder.path / "login.pub", key.public_key()).value();
    REQUIRE(folder.files() == 2);

    struct stat status {};
    REQUIRE(::stat((folder.path / "login.key").c_str(), &status) == 0);
    REQUIRE((status.st_mode & 07777) == 0600);
    REQUIRE(key.id().size() == 16);
    REQUIRE(read_text(folder.path / "login.key") ==
            fmt::format("gs-ed25519-private {} {}\n", key.id(), base64url_encode(key.seed())));

    REQUIRE(load_private_key(folder.path / "login.key").value().seed() == key.seed());
    const auto loaded = load_public_key(folder.path / "login.pub").value();
    REQUIRE(loaded.bytes() == key.public_key().bytes());
    REQUIRE(loaded.id() == key.id());
}

TEST_CASE("an existing private key is never replaced", "[crypto][signing]") {
    const TemporaryFolder folder;
    const auto path = folder.path / "login.key";
    const auto key = SigningKey::generate();
    save_private_key(path, key).value();
    REQUIRE(save_private_key(path, SigningKey::generate()).error().code() == Code::conflict);
    REQUIRE(load_or_create_private_key(path).value().id() == key.id());
    REQUIRE(folder.files() == 1);
}

TEST_CASE("a private key that others can read is refused with the command that helps", "[crypto][signing]") {
    const TemporaryFolder folder;
    const auto path = folder.path / "login.key";
    save_private_key(path, SigningKey::generate()).value();
    for (const mode_t mode : {0640U, 0604U, 0660U, 0610U}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        const auto loaded = load_or_create_private_key(path);
        REQUIRE_FALSE(loaded);
        REQUIRE(loaded.error().code() == Code::forbidden);
        REQUIRE_THAT(loaded.error().message(), Catch::Contains(fmt::format("mode {:04o}", mode)));
        REQUIRE_THAT(loaded.error().message(), Catch::Contains("chmod 600 " + path.string()));
    }
    REQUIRE(::chmod(path.c_str(), 0400) == 0);
    REQUIRE(load_private_key(path));
}

TEST_CASE("what is not a key file is refused and its text is not repeated", "[crypto][signing]") {
    const TemporaryFolder folder;
    const auto path = folder.path / "login.key";
    const auto key = SigningKey::generate();
    const auto seed = base64url_encode(key.seed());
    for (const auto& text :
         {std::string{}, std::string{"gs-ed25519-private"}, std::string{"gs-ed25519-private "},
          std::string(10'000, 'x'), fmt::format("gs-ed25519-public {} {}\n", key.id(), seed),
          fmt::format("gs-ed25519-private {} {}x\n", key.id(), seed),
          fmt::format("gs-ed25519-private {} {}\n\n", key.id(), seed), fmt::format("gs-ed25519-private {}\n", seed),
          fmt::format("gs-ed25519-private 0000000000000000 {}\n", seed)}) {
        write_text(path, text);
        const auto loaded = load_private_key(path);
        CAPTURE(text);
        REQUIRE_FALSE(loaded);
        REQUIRE(loaded.error().code() == Code::invalid);
        REQUIRE_THAT(loaded.error().message(), Catch::Contains(path.string()));
        REQUIRE_THAT(loaded.error().message(), !Catch::Contains(seed));
    }
    write_text(path, fmt::format("gs-ed25519-private {} {}", key.id(), seed));
    REQUIRE(load_private_key(path));
    REQUIRE(load_private_key(folder.path).error().code() == Code::invalid);
    REQUIRE(load_private_key(folder.path / "none").error().code() == Code::not_found);
    REQUIRE(load_or_create_private_key(folder.path / "none" / "login.key").error().code() == Code::not_found);
}

TEST_CASE("five processes that start at once get one key", "[crypto][signing]") {
    const TemporaryFolder folder;
    const auto path = folder.path / "login.key";
    constexpr int processes = 5;
    std::array<int, 2> start{};
    std::array<int, 2> results{};
    REQUIRE(::pipe(start.data()) == 0);
    REQUIRE(::pipe(results.data()) == 0);
    std::array<pid_t, processes> children{};
    for (auto& child : children) {
        child = ::fork();
        REQUIRE(child >= 0);
        if (child > 0) continue;
        ::close(start[1]);
        char byte = 0;
        static_cast<void>(!::read(start[0], &byte, 1));  // returns in all children when the parent closes its end
        const auto key = load_or_create_private_key(path);
        const auto id = key ? key->id() : std::string(16, '?');
        _exit(::write(results[1], id.data(), 16) == 16 ? 0 : 1);
    }
    ::close(start[0]);
    ::close(start[1]);
    ::close(results[1]);
    std::set<std::string> ids;
    for (int index = 0; index < processes; ++index) {
        std::string id(16, '\0');
        REQUIRE(::read(results[0], id.data(), id.size()) == 16);
        ids.insert(id);
    }
    ::close(results[0]);
    for (const auto child : children) {
        int status = -1;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(status == 0);
    }
    REQUIRE(ids == std::set<std::string>{load_private_key(path).value().id()});
    REQUIRE(folder.files() == 1);
}
