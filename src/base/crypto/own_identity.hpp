#pragma once
// What a gateway shows to clients and a node to other nodes: a static key, and the certificate of the zone's root for
// it, from files that are read again when the certificate's changes, so that a renewal needs no restart.
// Owner: the gateway or the node. Loop: one thread's; load and reload_changed block.
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto/certificate.hpp"
#include "base/metrics.hpp"

namespace gs {

struct Identity {
    ExchangeKey key;
    SignedCertificate certificate;
};

struct IdentityFiles {
    std::filesystem::path key, certificate;
    std::filesystem::path zone_key;  ///< development mode: makes what is missing; empty: nothing is made
};

/// Whom the certificate must be for.
struct IdentityOwner {
    CertificateKind kind = CertificateKind::gateway;
    std::string node;                ///< one of kind node must name it; a gateway's may have any name
    std::vector<std::string> roles;  ///< one of kind node must give it these
    std::string zone;
    std::vector<PublicKey> roots;  ///< one of them must have signed it; empty: that is not checked
};

class OwnIdentity {
public:
    /// `expires` is set to when the certificate ends, in seconds since 1970.
    OwnIdentity(IdentityFiles files, IdentityOwner owner, Gauge& expires);

    /// `now` in seconds since 1970. Errors: invalid: a file is missing, or the certificate is not good now.
    [[nodiscard]] Result<void> load(std::int64_t now);
    /// True: there is a new one. The old one stays while the files cannot be used, which is logged once; they are tried
    /// again with each call, since key and certificate may come one after the other. In development mode a certificate that
    /// ends soon is made anew.
    bool reload_changed(std::int64_t now);
    /// Once it is loaded.
    [[nodiscard]] const Identity& get() const { return *identity_; }

private:
    [[nodiscard]] std::string command() const;
    [[nodiscard]] Error cannot_encrypt(const Error& why) const;
    [[nodiscard]] Result<Certificate> check(const SignedCertificate& shown, const ExchangeKey& key,
                                            std::int64_t now) const;
    [[nodiscard]] SignedCertificate make_certificate(const SigningKey& root, const ExchangeKey& key,
                                                     std::int64_t now) const;
    [[nodiscard]] Result<void> prepare(std::int64_t now) const;

    IdentityFiles files_;
    IdentityOwner owner_;
    Gauge& expires_;
    using Stamp = std::pair<std::filesystem::file_time_type, std::filesystem::file_time_type>;
    [[nodiscard]] Stamp stamp() const;

    Stamp read_;
    std::string complaint_;  // the last one
    std::optional<Identity> identity_;
};

}  // namespace gs
