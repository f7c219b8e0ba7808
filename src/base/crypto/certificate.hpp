#pragma once
// Certificates: the root of a zone, an Ed25519 key, says which X25519 key is whose. A gateway shows its own to clients,
// which know the root. The signature covers "gameserver certificate v1", a zero byte, and the msgpack of Certificate.
// The file has one line, `gs-certificate <serial in hex> <base64url>`, of SignedCertificate in msgpack.
// Errors: unauthenticated (not by these roots, of another zone or kind, not valid now), in words for an operator.
#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/crypto/exchange.hpp"
#include "base/crypto/signing.hpp"
#include "base/fields.hpp"

namespace gs {

enum class CertificateKind : std::uint8_t {
    gateway = 1,  ///< may speak to clients
    node = 2,     ///< may link with other nodes, in its roles
};
[[nodiscard]] std::string_view to_string(CertificateKind kind);

struct Certificate {
    static constexpr std::uint16_t current_version = 1;

    std::uint16_t version = current_version;
    CertificateKind kind = CertificateKind::gateway;
    std::string name;
    std::vector<std::string> roles;
    std::string zone;
    Binary static_key;                           ///< X25519, 32 bytes
    std::int64_t not_before = 0, not_after = 0;  ///< seconds since 1970
    std::uint64_t serial = 0;
    FIELDS(version, kind, name, roles, zone, static_key, not_before, not_after, serial)
};

struct SignedCertificate {
    Binary certificate;  ///< msgpack of Certificate, as it was signed
    Binary signature;
    FIELDS(certificate, signature)
};

/// What a reader of a certificate knows beforehand.
struct Trust {
    std::vector<PublicKey> roots;
    std::string zone;  ///< empty: of any zone that the roots sign for
};

/// All but the signature: for who loads its own certificate. `now` in seconds since 1970; zone as in Trust.
[[nodiscard]] Result<Certificate> check_certificate(const SignedCertificate& signed_certificate,
                                                    const std::string& zone, CertificateKind kind, std::int64_t now);
[[nodiscard]] SignedCertificate sign_certificate(const SigningKey& root, const Certificate& certificate);
[[nodiscard]] Result<Certificate> verify_certificate(const SignedCertificate& signed_certificate, const Trust& trust,
                                                     CertificateKind kind, std::int64_t now);

/// Replaces the file in one step.
Result<void> save_certificate(const std::filesystem::path& path, const SignedCertificate& certificate);
Result<SignedCertificate> load_certificate(const std::filesystem::path& path);

}  // namespace gs
