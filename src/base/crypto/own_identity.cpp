#include "base/crypto/own_identity.hpp"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/crypto/crypto.hpp"
#include "base/log.hpp"

namespace gs {

namespace {

constexpr std::int64_t day = 86'400;
constexpr auto made_for = 30 * day;  // in development mode
constexpr auto made_anew_before = 7 * day;
constexpr auto warn_before = 14 * day;

}  // namespace

OwnIdentity::OwnIdentity(IdentityFiles files, IdentityOwner owner, Gauge& expires)
    : files_{std::move(files)}, owner_{std::move(owner)}, expires_{expires} {}

std::string OwnIdentity::command() const {
    if (owner_.kind == CertificateKind::gateway) return "gameserver certify gateway --name NAME";
    return fmt::format("gameserver certify node --name {} --roles {}", owner_.node, fmt::join(owner_.roles, ","));
}

Error OwnIdentity::cannot_encrypt(const Error& why) const {
    const auto who = owner_.kind == CertificateKind::gateway ? std::string{"the gateway"}
                                                             : fmt::format("node \"{}\" (its links)", owner_.node);
    return {Code::invalid, "{} cannot encrypt: {}. Make key and certificate with: {}", who, why.message(), command()};
}

/// The certificate, when it is good at that time, for this owner and for this key.
Result<Certificate> OwnIdentity::check(const SignedCertificate& shown, const ExchangeKey& key, std::int64_t now) const {
    auto certificate = owner_.roots.empty() ? check_certificate(shown, owner_.zone, owner_.kind, now)
                                            : verify_certificate(shown, {owner_.roots, owner_.zone}, owner_.kind, now);
    if (!certificate) return certificate;
    if (!std::equal(key.public_key().begin(), key.public_key().end(), certificate->static_key.begin()))
        return Error{Code::invalid, "the certificate of {} is for another key", certificate->name};
    if (owner_.kind == CertificateKind::gateway) return certificate;
    if (certificate->name != owner_.node)
        return Error{Code::invalid, "the certificate is for node \"{}\"", certificate->name};
    for (const auto& role : owner_.roles) {
        const auto& given = certificate->roles;
        if (std::find(given.begin(), given.end(), role) == given.end())
            return Error{Code::invalid, "the certificate does not give it the role {}", role};
    }
    return certificate;
}

SignedCertificate OwnIdentity::make_certificate(const SigningKey& root, const ExchangeKey& key,
                                                std::int64_t now) const {
    Certificate certificate;
    certificate.kind = owner_.kind;
    certificate.name = owner_.node;
    certificate.roles = owner_.roles;
    certificate.zone = owner_.zone;
    certificate.static_key = {key.public_key().begin(), key.public_key().end()};
    certificate.not_before = now - day;
    certificate.not_after = now + made_for;
    certificate.serial = random_u64();
    return sign_certificate(root, certificate);
}

/// Makes what is missing, or will not do for another week.
Result<void> OwnIdentity::prepare(std::int64_t now) const {
    const auto root = load_private_key(files_.zone_key);
    if (!root) return root.error();
    const auto key = load_or_create_exchange_key(files_.key);
    if (!key) return key.error();
    const auto shown = load_certificate(files_.certificate);
    const Trust trust{{root->public_key()}, owner_.zone};
    const bool good =
        shown && verify_certificate(*shown, trust, owner_.kind, now + made_anew_before) && check(*shown, *key, now);
    if (good) return {};
    return save_certificate(files_.certificate, make_certificate(*root, *key, now));
}

Result<void> OwnIdentity::load(std::int64_t now) {
    if (!files_.zone_key.empty()) {
        const auto prepared = prepare(now);
        if (!prepared) return cannot_encrypt(prepared.error());
    }
    const auto read = stamp();
    const auto key = load_exchange_key(files_.key);
    if (!key) return cannot_encrypt(key.error());
    auto shown = load_certificate(files_.certificate);
    if (!shown) return cannot_encrypt(shown.error());
    const auto certificate = check(*shown, *key, now);
    if (!certificate) return cannot_encrypt(certificate.error());
    const auto left = certificate->not_after - now;
    if (files_.zone_key.empty() && left < warn_before) {
        log::warn("the certificate of {} expires in {} days; {} refuse it then. Make a new one with: {}",
                  certificate->name, left / day, owner_.kind == CertificateKind::gateway ? "clients" : "other nodes",
                  command());
    }
    identity_ = Identity{*key, std::move(*shown)};
    expires_.set(certificate->not_after);
    read_ = read;
    complaint_.clear();
    return {};
}

OwnIdentity::Stamp OwnIdentity::stamp() const {
    std::error_code ignored;
    return {std::filesystem::last_write_time(files_.certificate, ignored),
            std::filesystem::last_write_time(files_.key, ignored)};
}

bool OwnIdentity::reload_changed(std::int64_t now) {
    const bool ends_soon = !files_.zone_key.empty() && expires_.value() - now < made_anew_before;
    if (stamp() == read_ && !ends_soon) return false;
    const auto loaded = load(now);
    if (!loaded) {
        if (std::exchange(complaint_, loaded.error().message()) != loaded.error().message())
            log::error("the certificate stays as it was: {}", loaded.error().message());
        return false;
    }
    log::info("the certificate {} was read again", files_.certificate.string());
    return true;
}

}  // namespace gs
