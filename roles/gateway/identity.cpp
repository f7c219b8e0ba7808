#include "roles/gateway/identity.hpp"

#include <algorithm>

#include "api/crypto.hpp"
#include "api/role.hpp"

namespace gs::gateway {

namespace {

constexpr std::int64_t day = 86'400;
constexpr auto made_for = 30 * day;  // in development mode
constexpr auto warn_before = 14 * day;

Error cannot_encrypt(const Error& why) {
    return {Code::invalid,
            "the gateway cannot encrypt: {}. Make key and certificate with: gameserver certify gateway --name NAME",
            why.message()};
}

/// The certificate, when it is good at that time and for this key.
Result<Certificate> check(const SignedCertificate& shown, const ExchangeKey& key, const std::string& zone,
                          std::int64_t at) {
    auto certificate = check_certificate(shown, zone, CertificateKind::gateway, at);
    if (!certificate) return certificate;
    if (!std::equal(key.public_key().begin(), key.public_key().end(), certificate->static_key.begin()))
        return Error{Code::invalid, "the certificate of {} is for another key", certificate->name};
    return certificate;
}

SignedCertificate make_certificate(const SigningKey& root, const ExchangeKey& key, const std::string& node,
                                   const std::string& zone, std::int64_t now) {
    Certificate certificate;
    certificate.name = node;
    certificate.roles = {"gateway"};
    certificate.zone = zone;
    certificate.static_key = {key.public_key().begin(), key.public_key().end()};
    certificate.not_before = now - day;
    certificate.not_after = now + made_for;
    certificate.serial = random_u64();
    return sign_certificate(root, certificate);
}

/// Makes what is missing, or will not do for another day.
void prepare(const IdentityFiles& files, const std::string& node, const std::string& zone, std::int64_t now) {
    const auto root = load_private_key(files.zone_key);
    if (!root) throw cannot_encrypt(root.error());
    const auto key = load_or_create_exchange_key(files.key);
    if (!key) throw cannot_encrypt(key.error());
    const auto shown = load_certificate(files.certificate);
    const Trust trust{{root->public_key()}, zone};
    const bool good = shown && verify_certificate(*shown, trust, CertificateKind::gateway, now + day) &&
                      check(*shown, *key, zone, now);
    if (good) return;
    const auto saved = save_certificate(files.certificate, make_certificate(*root, *key, node, zone, now));
    if (!saved) throw cannot_encrypt(saved.error());
}

}  // namespace

OwnIdentity load_identity(const IdentityFiles& files, const std::string& node, const std::string& zone,
                          std::int64_t now) {
    if (!files.zone_key.empty()) prepare(files, node, zone, now);
    const auto key = load_exchange_key(files.key);
    if (!key) throw cannot_encrypt(key.error());
    auto shown = load_certificate(files.certificate);
    if (!shown) throw cannot_encrypt(shown.error());
    const auto certificate = check(*shown, *key, zone, now);
    if (!certificate) throw cannot_encrypt(certificate.error());
    const auto left = certificate->not_after - now;
    if (files.zone_key.empty() && left < warn_before) {
        log::warn(
            "the certificate of {} expires in {} days; clients refuse it then. Make a new one with: gameserver "
            "certify gateway --name {}",
            certificate->name, left / day, certificate->name);
    }
    return {{*key, std::move(*shown)}, certificate->not_after};
}

}  // namespace gs::gateway
