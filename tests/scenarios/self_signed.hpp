#pragma once
// TLS certificates for tests.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <catch2/catch.hpp>

namespace gs::scenarios {

/// A certificate of 127.0.0.1 that signs itself, as PEM files `NAME.pem` and `NAME.key`.
inline void write_self_signed(const std::string& name, const std::string& owner, long good_for_seconds = 3600) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_EC_gen("P-256"), &EVP_PKEY_free};
    const std::unique_ptr<X509, decltype(&X509_free)> certificate{X509_new(), &X509_free};
    auto* at = certificate.get();
    X509_set_version(at, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(at), 1);
    X509_gmtime_adj(X509_getm_notBefore(at), -60);
    X509_gmtime_adj(X509_getm_notAfter(at), good_for_seconds);
    X509_set_pubkey(at, key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(at), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(owner.c_str()), -1, -1, 0);
    X509_set_issuer_name(at, X509_get_subject_name(at));
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> addresses{
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"), &X509_EXTENSION_free};
    REQUIRE(X509_add_ext(at, addresses.get(), -1) == 1);
    REQUIRE(X509_sign(at, key.get(), EVP_sha256()) > 0);
    const auto write = [&](const std::string& file, auto&& what) {
        // As whoever renews a certificate does it: never half a file in its place.
        auto* out = std::fopen((file + ".new").c_str(), "w");
        REQUIRE(out != nullptr);
        what(out);
        std::fclose(out);
        std::filesystem::rename(file + ".new", file);
    };
    write(name + ".pem", [&](std::FILE* out) { PEM_write_X509(out, at); });
    write(name + ".key",
          [&](std::FILE* out) { PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

}  // namespace gs::scenarios
