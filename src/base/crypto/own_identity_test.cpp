#include "base/crypto/own_identity.hpp"

#include <sys/stat.h>

#include <fstream>

#include <catch2/catch.hpp>

#include "base/crypto/cluster_key.hpp"
#include "base/crypto/crypto.hpp"

using namespace gs;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t now = 1'795'296'830;
constexpr std::int64_t day = 86'400;

struct Folder {
    Folder() : path{fs::temp_directory_path() / fmt::format("gs-identity-{:016x}", random_u64())} {
        fs::create_directory(path);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    fs::path path;
};

/// A node's files, as an operator makes them.
struct Files {
    Files() {
        crypto_init().value();
        files = {folder.path / "node.key", folder.path / "node.cert", {}};
        key.emplace(load_or_create_exchange_key(files.key).value());
        write([](Certificate&) {});
    }
    void write(const std::function<void(Certificate&)>& change, std::uint8_t root = 1) {
        Certificate certificate;
        certificate.kind = CertificateKind::node;
        certificate.name = "game-1";
        certificate.roles = {"game", "login"};
        certificate.zone = "default";
        certificate.static_key = {key->public_key().begin(), key->public_key().end()};
        certificate.not_before = now - 60;
        certificate.not_after = now + 30 * day;
        change(certificate);
        save_certificate(files.certificate, sign_certificate(root_key(root), certificate)).value();
        // Whatever the resolution of the file system's clock.
        fs::last_write_time(files.certificate, fs::file_time_type{} + std::chrono::seconds{++written});
    }
    static SigningKey root_key(std::uint8_t seed) {
        std::array<std::uint8_t, 32> bytes{};
        bytes.fill(seed);
        return SigningKey::from_seed(bytes);
    }
    [[nodiscard]] static IdentityOwner owner() {
        return {CertificateKind::node, "game-1", {"game"}, "default", {root_key(1).public_key()}};
    }
    std::string refusal() {
        const auto loaded = OwnIdentity{files, owner(), expires}.load(now);
        return loaded ? "" : loaded.error().message();
    }

    Folder folder;
    IdentityFiles files;
    std::optional<ExchangeKey> key;
    Gauge expires;
    int written = 0;
};

}  // namespace

TEST_CASE("a node's certificate must be for it and for what it runs", "[base][crypto][MSG-06]") {
    Files files;
    CHECK(files.refusal().empty());
    CHECK(files.expires.value() == now + 30 * day);
    const auto refused = [&](const std::function<void(Certificate&)>& change, std::uint8_t root = 1) {
        files.write(change, root);
        return files.refusal();
    };
    const auto cannot = [](const std::string& why) {
        return Catch::Equals("node \"game-1\" (its links) cannot encrypt: " + why +
                             ". Make key and certificate with: gameserver certify node --name game-1 --roles game");
    };
    CHECK_THAT(refused([](Certificate& it) { it.name = "game-2"; }), cannot("the certificate is for node \"game-2\""));
    CHECK_THAT(refused([](Certificate& it) { it.roles = {"login"}; }),
               cannot("the certificate does not give it the role game"));
    CHECK_THAT(refused([](Certificate& it) { it.kind = CertificateKind::gateway; }),
               cannot("the certificate is one for a gateway; one for a node is needed"));
    CHECK_THAT(refused([](Certificate& it) { it.zone = "other"; }),
               cannot("the certificate is for zone \"other\"; this is zone \"default\""));
    CHECK_THAT(refused([](Certificate& it) { it.not_after = now; }),
               cannot("the certificate of game-1 expired at 2026-11-21 21:33 UTC"));
    CHECK_THAT(refused([](Certificate& it) { it.static_key[0] ^= 1U; }),
               cannot("the certificate of game-1 is for another key"));
    CHECK_THAT(refused([](Certificate&) {}, 2), cannot("the certificate is not signed by a root that is trusted here"));
    fs::remove(files.files.key);
    CHECK_THAT(files.refusal(),
               Catch::Contains("cannot open key file " + files.files.key.string() + ": No such file or directory"));
}

TEST_CASE("a renewed certificate is taken and one that will not do leaves the old one", "[base][crypto][MSG-06]") {
    Files files;
    OwnIdentity own{files.files, Files::owner(), files.expires};
    REQUIRE(own.load(now));
    const auto first = own.get().certificate.certificate;
    CHECK_FALSE(own.reload_changed(now));
    files.write([](Certificate& it) { it.not_after = now + 60 * day; });
    CHECK(own.reload_changed(now));
    CHECK(files.expires.value() == now + 60 * day);
    const auto second = own.get().certificate.certificate;
    CHECK(second != first);
    CHECK_FALSE(own.reload_changed(now));

    files.write([](Certificate&) {}, 2);  // of a root that nobody trusts
    CHECK_FALSE(own.reload_changed(now));
    CHECK(own.get().certificate.certificate == second);
    fs::remove(files.files.certificate);
    CHECK_FALSE(own.reload_changed(now));
    CHECK(own.get().certificate.certificate == second);
    CHECK(files.expires.value() == now + 60 * day);

    // Of a new pair the certificate comes first.
    files.write([](Certificate& it) { it.not_after = now + 90 * day; });
    const auto right = files.files.key.string() + ".right";
    fs::rename(files.files.key, right);
    load_or_create_exchange_key(files.files.key).value();
    CHECK_FALSE(own.reload_changed(now));
    CHECK(own.get().certificate.certificate == second);
    fs::rename(right, files.files.key);
    CHECK(own.reload_changed(now));
    CHECK(files.expires.value() == now + 90 * day);
}

TEST_CASE("in development mode a certificate that ends soon is made anew while the node runs",
          "[base][crypto][MSG-06]") {
    crypto_init().value();
    const Folder folder;
    Gauge expires;
    IdentityFiles files{folder.path / "node.key", folder.path / "node.cert", folder.path / "zone.key"};
    save_private_key(files.zone_key, Files::root_key(1)).value();
    OwnIdentity own{files, {CertificateKind::node, "game-1", {"game"}, "default", {}}, expires};
    own.load(now).value();
    CHECK_FALSE(own.reload_changed(now + 20 * day));
    CHECK(own.reload_changed(now + 24 * day));
    CHECK(expires.value() == now + 54 * day);
    CHECK_FALSE(own.reload_changed(now + 24 * day));
}

TEST_CASE("in development mode a node makes its key and certificate and keeps them while they are good",
          "[base][crypto][MSG-06]") {
    crypto_init().value();
    const Folder folder;
    Gauge expires;
    IdentityFiles files{folder.path / "node.key", folder.path / "node.cert", folder.path / "zone.key"};
    save_private_key(files.zone_key, Files::root_key(1)).value();
    const auto load = [&](const std::vector<std::string>& roles, std::int64_t at) {
        OwnIdentity own{
            files, {CertificateKind::node, "game-1", roles, "default", {Files::root_key(1).public_key()}}, expires};
        own.load(at).value();
        return own.get();
    };
    const auto first = load({"game"}, now);
    CHECK(load({"game"}, now + day).certificate.certificate == first.certificate.certificate);
    const auto with_login = load({"game", "login"}, now);
    CHECK(with_login.certificate.certificate != first.certificate.certificate);
    CHECK(with_login.key.public_key() == first.key.public_key());
    const auto later = load({"game", "login"}, now + 30 * day);
    CHECK(later.certificate.certificate != with_login.certificate.certificate);
    CHECK(expires.value() == now + 60 * day);
}

TEST_CASE("a cluster key is made once and refused when it is not one", "[base][crypto][MSG-06]") {
    crypto_init().value();
    const Folder folder;
    const auto file = folder.path / "cluster.key";
    CHECK(load_cluster_key(file).error().code() == Code::not_found);
    const auto made = load_or_create_cluster_key(file).value();
    CHECK(made.bytes() != Secret{}.bytes());
    CHECK(load_or_create_cluster_key(file).value().bytes() == made.bytes());
    CHECK(load_cluster_key(file).value().bytes() == made.bytes());
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);

    std::string line;
    std::getline(std::ifstream{file}, line);
    const auto with = [&](const std::string& text) {
        std::ofstream{file} << text << "\n";
        const auto loaded = load_cluster_key(file);
        return loaded ? "" : loaded.error().message();
    };
    REQUIRE(with(line).empty());
    auto other = line;
    other[other.size() / 2 + 10] = other[other.size() / 2 + 10] == 'A' ? 'B' : 'A';
    CHECK_THAT(with(other), Catch::Contains("is damaged: it says key id"));
    CHECK_THAT(with(line.substr(0, line.size() - 8)), Catch::Contains("is not a cluster key file"));
    CHECK_THAT(with("gs-x25519-private" + line.substr(line.find(' '))), Catch::Contains("is not a cluster key file"));
    REQUIRE(with(line).empty());
    ::chmod(file.c_str(), 0604);
    CHECK(load_cluster_key(file).error().code() == Code::forbidden);
}
