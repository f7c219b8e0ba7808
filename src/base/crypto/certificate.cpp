#include "base/crypto/certificate.hpp"

#include <algorithm>
#include <ctime>

#include "base/crypto/key_file.hpp"
#include "base/msgpack.hpp"

namespace gs {

namespace {

constexpr KeyFileKind certificate_kind{"gs-certificate", "certificate", false, "a certificate", 8192};
/// No other signature of this server begins like this, so that none can be taken for a certificate's.
constexpr std::string_view domain{"gameserver certificate v1\0", 26};

Buffer signed_text(BytesView certificate) {
    Buffer text;
    text.append(as_bytes(domain));
    text.append(certificate);
    return text;
}

Error refused(std::string_view why) { return {Code::unauthenticated, "the certificate {}", why}; }

std::string day_of(std::int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    if (::gmtime_r(&time, &parts) == nullptr) return fmt::format("{} s after 1970", seconds);
    char text[32] = {};
    static_cast<void>(std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts));
    return text;
}

}  // namespace

std::string_view to_string(CertificateKind kind) {
    switch (kind) {
        case CertificateKind::gateway:
            return "gateway";
        case CertificateKind::node:
            return "node";
    }
    return "unknown";
}

SignedCertificate sign_certificate(const SigningKey& root, const Certificate& certificate) {
    SignedCertificate result;
    result.certificate = msgpack::encode(certificate);
    const auto signature = root.sign(signed_text(result.certificate));
    result.signature.assign(signature.begin(), signature.end());
    return result;
}

Result<Certificate> check_certificate(const SignedCertificate& signed_certificate, const std::string& zone,
                                      CertificateKind kind, std::int64_t now) {
    auto certificate = msgpack::decode<Certificate>(signed_certificate.certificate);
    if (!certificate) return refused("does not decode: " + certificate.error().message());
    if (certificate->version != Certificate::current_version) {
        return refused(fmt::format("has version {}; this side knows version {}", certificate->version,
                                   Certificate::current_version));
    }
    if (certificate->static_key.size() != std::tuple_size_v<ExchangePublicKey>) return refused("has no key");
    if (certificate->kind != kind) {
        return refused(
            fmt::format("is one for a {}; one for a {} is needed", to_string(certificate->kind), to_string(kind)));
    }
    if (!zone.empty() && certificate->zone != zone) {
        return refused(fmt::format("is for zone \"{}\"; this is zone \"{}\"", certificate->zone, zone));
    }
    if (now < certificate->not_before) {
        return refused(fmt::format("of {} is valid from {}; are the clocks right?", certificate->name,
                                   day_of(certificate->not_before)));
    }
    if (now >= certificate->not_after) {
        return refused(fmt::format("of {} expired at {}", certificate->name, day_of(certificate->not_after)));
    }
    return certificate;
}

Result<Certificate> verify_certificate(const SignedCertificate& signed_certificate, const Trust& trust,
                                       CertificateKind kind, std::int64_t now) {
    Signature signature{};
    if (signed_certificate.signature.size() != signature.size()) return refused("has no signature");
    std::copy(signed_certificate.signature.begin(), signed_certificate.signature.end(), signature.begin());
    const auto text = signed_text(signed_certificate.certificate);
    const bool known = std::any_of(trust.roots.begin(), trust.roots.end(),
                                   [&](const PublicKey& root) { return root.verify(text, signature); });
    if (!known) return refused("is not signed by a root that is trusted here");
    return check_certificate(signed_certificate, trust.zone, kind, now);
}

Result<void> save_certificate(const std::filesystem::path& path, const SignedCertificate& certificate) {
    const auto inside = msgpack::decode<Certificate>(certificate.certificate);
    if (!inside) return inside.error();
    return replace_key_file(path, certificate_kind,
                            {fmt::format("{:016x}", inside->serial), msgpack::encode(certificate)});
}

Result<SignedCertificate> load_certificate(const std::filesystem::path& path) {
    const auto line = read_key_file(path, certificate_kind);
    if (!line) return line.error();
    auto certificate = msgpack::decode<SignedCertificate>(line->bytes);
    if (!certificate) return not_a_key(path, certificate_kind);
    return certificate;
}

}  // namespace gs
