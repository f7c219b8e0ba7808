#pragma once
// The login role: accounts over HTTP, tokens that gateways verify by themselves, and the list of gateways by load.
// The interface is described in docs/protocol.md.
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "api/http.hpp"
#include "api/secure.hpp"
#include "api/session.hpp"
#include "api/tls_files.hpp"
#include "roles/login/accounts.hpp"

namespace gs::login {

struct LoginSettings {
    explicit LoginSettings(Settings settings, bool development);
    std::string http_address, private_key_file, zone;
    std::string certificate_file, key_file;  ///< of https; both or none
    bool play;
    std::set<std::string> origins;
    std::vector<std::string> root_files;  ///< none when the gateways do not encrypt
    std::chrono::seconds token_lifetime;
    PasswordCost cost;
    std::size_t tries_per_account_max, tries_per_address_max;
};

/// Counts wrong passwords; forgets them after a window.
class TryLimit {
public:
    TryLimit(std::size_t most, runtime::Duration window) : most_{most}, window_{window} {}
    /// Throws limited when there were too many.
    void check(const std::string& who, runtime::Time now);
    void failed(const std::string& who, runtime::Time now);
    /// Takes back the last one that was counted.
    void forgive(const std::string& who);

private:
    void forget_old(runtime::Time now);
    std::size_t most_;
    runtime::Duration window_;
    std::map<std::string, std::size_t> counts_;
    std::deque<std::pair<runtime::Time, std::string>> order_;
};

class Login final : public Actor {
public:
    explicit Login(RoleContext& context);

    runtime::Task<> start() override;
    runtime::Task<> stop() override;

private:
    using Exchange = std::shared_ptr<http::HttpExchange>;
    using Answer = runtime::Task<http::HttpResponse> (Login::*)(Exchange);

    void report();
    [[nodiscard]] std::string url() const;
    /// Errors: the files cannot be used.
    void load_certificate();
    /// The pair that was just checked.
    void renew_certificate();
    void serve_play();
    /// Loop: any. Whether the page that asks may read the answer.
    bool admit_page(const http::HttpRequest& request, http::HttpResponse& response) const;
    void route(const char* method, const char* path, Answer answer);
    runtime::Task<> answer(Answer handler, Exchange exchange);
    // Not in the co_await itself: g++ 12 miscompiles a call through a pointer to member there (docs/decisions.md).
    runtime::Task<http::HttpResponse> call(Answer handler, Exchange exchange);
    runtime::Task<http::HttpResponse> guest(Exchange exchange);
    runtime::Task<http::HttpResponse> register_account(Exchange exchange);
    runtime::Task<http::HttpResponse> log_in(Exchange exchange);
    runtime::Task<http::HttpResponse> gateways(Exchange exchange);
    runtime::Task<http::HttpResponse> keys(Exchange exchange);
    /// Errors: a root cannot be read.
    void load_roots();
    runtime::Task<> check_bans(std::vector<std::string> whom);
    runtime::Task<http::HttpResponse> grant(Exchange exchange, Account account, std::string guest_key);

    runtime::Loop& loop_;
    cluster::RoleBus bus_;
    LoginSettings settings_;
    entity::Persistence persistence_;
    Accounts accounts_;
    std::filesystem::path data_directory_;
    bool threads_, started_ = false;
    std::optional<SigningKey> key_;
    std::vector<std::string> roots_;  // base64url
    TlsFiles tls_;
    bool renewal_due_ = false;
    TryLimit by_account_, by_address_;
    std::unique_ptr<http::HttpServer> server_;
    gs::Counter& granted_;
    gs::Counter& refused_;
    runtime::Timers timers_;
    runtime::Tasks tasks_;
};

}  // namespace gs::login
