#pragma once
// A client that speaks TLS through OpenSSL and believes any certificate, for tests.
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "base/bytes.hpp"
#include "transport/transport.hpp"

namespace gs::scenarios {

/// A blocking client that gives up after 20 s.
class TlsSocket {
public:
    /// `version_max`: as OpenSSL names it, such as TLS1_2_VERSION; 0: the highest.
    explicit TlsSocket(const std::string& address, int version_max = 0) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
        SSL_set_max_proto_version(ssl_.get(), version_max);
        SSL_set_min_proto_version(ssl_.get(), TLS1_VERSION);
        SSL_set_cipher_list(ssl_.get(), "DEFAULT@SECLEVEL=0");  // else OpenSSL itself refuses old versions
        const timeval limit{20, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        const auto parts = transport::parse_host_port(address).value();
        sockaddr_in end{};
        end.sin_family = AF_INET;
        end.sin_port = htons(parts.port);
        ::inet_pton(AF_INET, parts.host.c_str(), &end.sin_addr);
        REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&end), sizeof end) == 0);
        SSL_set_fd(ssl_.get(), socket_);
        is_open_ = SSL_connect(ssl_.get()) == 1;
    }
    ~TlsSocket() { ::close(socket_); }
    TlsSocket(const TlsSocket&) = delete;
    TlsSocket& operator=(const TlsSocket&) = delete;

    [[nodiscard]] bool is_open() const { return is_open_; }
    [[nodiscard]] std::string owner() const {
        const std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(ssl_.get()),
                                                                      &X509_free};
        if (certificate == nullptr) return {};
        char name[64] = {};
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
        return name;
    }
    void send(BytesView bytes) {
        REQUIRE(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
    }
    /// Until `size` bytes are there, or the other side has ended it.
    std::string receive(std::size_t size) {
        std::string text(size, '\0');
        std::size_t got = 0;
        while (got < size) {
            const int count = SSL_read(ssl_.get(), text.data() + got, static_cast<int>(size - got));
            if (count <= 0) break;
            got += static_cast<std::size_t>(count);
        }
        text.resize(got);
        return text;
    }
    /// Until `end` was seen, or the other side has ended it.
    std::string receive_until(std::string_view end) {
        std::string text;
        while (text.find(end) == std::string::npos) {
            const auto more = receive(1);
            if (more.empty()) break;
            text += more;
        }
        return text;
    }

private:
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{SSL_new(context_.get()), &SSL_free};
    int socket_;
    bool is_open_ = false;
};

}  // namespace gs::scenarios
