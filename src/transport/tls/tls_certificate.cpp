#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509err.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "transport/tls/tls_connection.hpp"

namespace gs::transport {

namespace {

/// Browsers ask for HTTP/2 first; a WebSocket begins with HTTP/1.1.
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void* /*unused*/) {
    static constexpr std::array<unsigned char, 9> spoken{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* found = nullptr;
    const auto outcome = SSL_select_next_proto(&found, size, spoken.data(), spoken.size(), offered, offered_size);
    if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

Error cannot_use(const std::filesystem::path& file) {
    const auto code = ERR_peek_error();  // the first one is the cause
    const char* reason = ERR_SYSTEM_ERROR(code) ? std::strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    Error error{Code::invalid, "{} cannot be used: {}", file.string(), reason == nullptr ? "unknown" : reason};
    ERR_clear_error();
    return error;
}

class OpenSslCertificate final : public TlsCertificate {
public:
    explicit OpenSslCertificate(std::unique_ptr<SSL_CTX, SslDeleter> context) : context_{std::move(context)} {}

    std::shared_ptr<Layer> accept(runtime::Loop& loop, std::shared_ptr<Connection> below) override {
        std::unique_ptr<SSL, SslDeleter> ssl{SSL_new(context_.get())};
        if (ssl == nullptr) throw std::bad_alloc{};
        SSL_set_accept_state(ssl.get());
        return std::make_shared<TlsConnection>(loop, std::move(below), std::move(ssl));
    }

    runtime::WallTime expires() const override {
        std::tm end{};
        ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context_.get())), &end);
        return std::chrono::system_clock::from_time_t(::timegm(&end));
    }

private:
    std::unique_ptr<SSL_CTX, SslDeleter> context_;
};

}  // namespace

Result<std::unique_ptr<TlsCertificate>> load_tls_certificate(const std::filesystem::path& chain,
                                                             const std::filesystem::path& key) {
    std::unique_ptr<SSL_CTX, SslDeleter> context{SSL_CTX_new(TLS_server_method())};
    if (context == nullptr) return Error{Code::internal, "OpenSSL does not start"};
    auto* at = context.get();
    SSL_CTX_set_min_proto_version(at, TLS1_2_VERSION);
    SSL_CTX_set_options(at, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(at, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(at, 0);
    SSL_CTX_set_mode(at, SSL_MODE_RELEASE_BUFFERS);  // an idle connection holds none
    SSL_CTX_set_alpn_select_cb(at, &choose_protocol, nullptr);
    // A key with a passphrase is refused; the library would ask for it on the terminal.
    SSL_CTX_set_default_passwd_cb(at, [](char*, int, int, void*) { return 0; });
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(at, chain.c_str()) != 1) return cannot_use(chain);
    const bool is_read = SSL_CTX_use_PrivateKey_file(at, key.c_str(), SSL_FILETYPE_PEM) == 1;
    if (!is_read && ERR_GET_REASON(ERR_peek_error()) != X509_R_KEY_VALUES_MISMATCH) return cannot_use(key);
    if (!is_read || SSL_CTX_check_private_key(at) != 1)
        return Error{Code::invalid, "{} is not the key of the certificate in {}", key.string(), chain.string()};
    return std::unique_ptr<TlsCertificate>{std::make_unique<OpenSslCertificate>(std::move(context))};
}

}  // namespace gs::transport
