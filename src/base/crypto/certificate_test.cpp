#include "base/crypto/certificate.hpp"

#include <sys/stat.h>

#include <fstream>

#include <catch2/catch.hpp>

#include "base/crypto/crypto.hpp"
#include "base/msgpack.hpp"

using namespace gs;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t now = 1'795'296'830;

SigningKey root(std::uint8_t seed = 1) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(seed);
    return SigningKey::from_seed(bytes);
}

Certificate gateway() {
    Certificate certificate;
    certificate.name = "gateway-1";
    certificate.roles = {"gateway"};
    certificate.zone = "default";
    certificate.static_key = Binary(32, 3);
    certificate.not_before = now - 60;
    certificate.not_after = now + 60;
    certificate.serial = 9;
    return certificate;
}

Trust trust(std::string zone = "default") { return {{root(2).public_key(), root().public_key()}, std::move(zone)}; }

std::string refusal(const SignedCertificate& certificate, const Trust& trusted, std::int64_t at = now,
                    CertificateKind kind = CertificateKind::gateway) {
    const auto verified = verify_certificate(certificate, trusted, kind, at);
    if (verified) return "accepted";
    CHECK(verified.error().code() == Code::unauthenticated);
    return verified.error().message();
}

struct Folder {
    Folder() : path{fs::temp_directory_path() / fmt::format("gs-certificate-{:016x}", random_u64())} {
        fs::create_directory(path);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { fs::remove_all(path); }
    fs::path path;
};

}  // namespace

TEST_CASE("a certificate of the zone's root is accepted and says what was signed", "[crypto][certificate][MSG-06]") {
    const auto verified =
        verify_certificate(sign_certificate(root(), gateway()), trust(), CertificateKind::gateway, now);
    REQUIRE(verified);
    CHECK(verified->name == "gateway-1");
    CHECK(verified->roles == std::vector<std::string>{"gateway"});
    CHECK(verified->static_key == Binary(32, 3));
    CHECK(verified->serial == 9);
    CHECK(refusal(sign_certificate(root(), gateway()), trust("")) == "accepted");
}

TEST_CASE("a certificate is refused for what is wrong with it", "[crypto][certificate][MSG-06]") {
    const auto good = sign_certificate(root(), gateway());
    const auto signed_with = [](auto change) {
        auto certificate = gateway();
        change(certificate);
        return sign_certificate(root(), certificate);
    };
    CHECK(refusal(good, {{root(3).public_key()}, "default"}) ==
          "the certificate is not signed by a root that is trusted here");
    CHECK(refusal(good, {{}, "default"}) == "the certificate is not signed by a root that is trusted here");
    CHECK(refusal(good, trust("other")) == "the certificate is for zone \"default\"; this is zone \"other\"");
    CHECK(refusal(good, trust(), now, CertificateKind::node) ==
          "the certificate is one for a gateway; one for a node is needed");
    CHECK(refusal(good, trust(), now + 60) == "the certificate of gateway-1 expired at 2026-11-21 21:34 UTC");
    CHECK(refusal(good, trust(), now + 59) == "accepted");
    CHECK(refusal(good, trust(), now - 61) ==
          "the certificate of gateway-1 is valid from 2026-11-21 21:32 UTC; are the clocks right?");
    CHECK(refusal(good, trust(), now - 60) == "accepted");
    CHECK(refusal(signed_with([](auto& certificate) { certificate.version = 2; }), trust()) ==
          "the certificate has version 2; this side knows version 1");
    CHECK(refusal(signed_with([](auto& certificate) { certificate.static_key.pop_back(); }), trust()) ==
          "the certificate has no key");
    CHECK(refusal(signed_with([](auto& certificate) { certificate.kind = CertificateKind{7}; }), trust()) ==
          "the certificate is one for a unknown; one for a gateway is needed");
    CHECK(refusal({good.certificate, {}}, trust()) == "the certificate has no signature");
}

TEST_CASE("a bit that was flipped anywhere makes a certificate worthless", "[crypto][certificate][MSG-06]") {
    const auto good = sign_certificate(root(), gateway());
    for (std::size_t bit = 0; bit < good.certificate.size() * 8; ++bit) {
        auto bad = good;
        bad.certificate[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        CAPTURE(bit);
        CHECK(refusal(bad, trust()) == "the certificate is not signed by a root that is trusted here");
    }
    for (std::size_t bit = 0; bit < good.signature.size() * 8; ++bit) {
        auto bad = good;
        bad.signature[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        CAPTURE(bit);
        CHECK(refusal(bad, trust()) == "the certificate is not signed by a root that is trusted here");
    }
}

TEST_CASE("a signature over the bare certificate is none", "[crypto][certificate][MSG-06]") {
    // The root signs for one purpose: what it signed as something else must not pass as a certificate.
    auto forged = sign_certificate(root(), gateway());
    const auto bare = root().sign(forged.certificate);
    forged.signature = {bare.begin(), bare.end()};
    CHECK(refusal(forged, trust()) == "the certificate is not signed by a root that is trusted here");
}

TEST_CASE("certificates and exchange keys are kept in files", "[crypto][certificate][MSG-06]") {
    const Folder folder;
    const auto certificate = sign_certificate(root(), gateway());
    const auto file = folder.path / "gateway.cert";
    CHECK(load_certificate(file).error().code() == Code::not_found);
    save_certificate(file, certificate).value();
    save_certificate(file, certificate).value();  // a renewed one replaces it
    const auto loaded = load_certificate(file).value();
    CHECK(loaded.certificate == certificate.certificate);
    CHECK(loaded.signature == certificate.signature);
    std::ofstream{file} << "gs-certificate 0000000000000009 kcQ\n";
    CHECK_THAT(load_certificate(file).error().message(), Catch::Contains("is not a certificate file"));

    const auto key_file = folder.path / "gateway.key";
    const auto key = load_or_create_exchange_key(key_file).value();
    CHECK(load_or_create_exchange_key(key_file).value().public_key() == key.public_key());
    CHECK(load_exchange_key(key_file).value().secret().bytes() == key.secret().bytes());
    struct stat status {};
    REQUIRE(::stat(key_file.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    REQUIRE(::chmod(key_file.c_str(), 0640) == 0);
    CHECK(load_exchange_key(key_file).error().code() == Code::forbidden);
    REQUIRE(::chmod(key_file.c_str(), 0600) == 0);
    std::ofstream{key_file} << fmt::format("gs-x25519-private {} {}\n", key.id(), base64url_encode(Binary(32, 9)));
    CHECK_THAT(load_exchange_key(key_file).error().message(), Catch::Contains("is damaged"));
}

TEST_CASE("both sides of an exchange agree", "[crypto][MSG-06]") {
    // RFC 7748, section 6.1.
    const auto key = [](std::string_view hex) {
        const auto bytes = hex_decode(hex).value();
        return ExchangeKey::from_secret(Secret{std::span<const std::uint8_t, 32>{bytes.data(), 32}});
    };
    const auto alice = key("77076d0a7318a57d3c16c17251b26645df2997b5e8c5d0a1d5a5a1f2b5c5a9e1");
    const auto bob = key("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    CHECK(hex_encode(bob.public_key()) == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    CHECK(alice.agree(bob.public_key()).value().bytes() == bob.agree(alice.public_key()).value().bytes());
    CHECK_FALSE(alice.agree(ExchangePublicKey{}));
}
