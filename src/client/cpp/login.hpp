#pragma once
// Asks the login role for a token over HTTP. Blocking. Owner: one object for each thread.
// Errors: what the server answered (unauthenticated, conflict, limited ...), or unavailable and deadline of the
// network, or forbidden when the certificate of https is not to be trusted.
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/cpp/gateway.hpp"
#include "http/client.hpp"

namespace gs::client {

struct Login {
    std::string token;
    std::int64_t expires_at = 0;  ///< seconds since 1970
    PlayerId player{};
    std::string guest_key;          ///< of guests: brings the same player back
    std::vector<Gateway> gateways;  ///< each with the roots that login names
};

class LoginClient {
public:
    /// For example "https://login.example:7080". `ca_file`: PEM, the authority that the server's certificate must be of;
    /// empty: those of the system.
    explicit LoginClient(std::string base_url, std::string ca_file = {});

    /// A new guest, or with the key of an earlier login that one again.
    [[nodiscard]] Result<Login> guest(std::string_view guest_key = {});
    [[nodiscard]] Result<Login> register_account(std::string_view name, std::string_view password);
    [[nodiscard]] Result<Login> login(std::string_view name, std::string_view password);
    [[nodiscard]] Result<std::vector<Gateway>> gateways();

private:
    Result<std::string> fetch(std::string method, std::string_view path, std::string body);

    std::string base_url_, ca_file_;
    http::HttpClient http_;
};

[[nodiscard]] Result<Login> parse_login(std::string_view json);
[[nodiscard]] Result<std::vector<Gateway>> parse_gateways(std::string_view json);
/// The error that an answer other than 2xx holds.
[[nodiscard]] Error parse_login_error(unsigned status, std::string_view json);

}  // namespace gs::client
