#include "roles/login/login.hpp"

#include <algorithm>

#include "api/json.hpp"
#include "roles/login/play_files.hpp"

namespace gs::login {

namespace {

constexpr auto certificate_check_period = std::chrono::seconds{5};

struct GuestRequest {
    std::string guest_key;
    FIELDS(guest_key)
};
struct PasswordRequest {
    std::string name, password;
    static constexpr bool secret = true;
    FIELDS(name, password)
};
struct GatewayEntry {
    std::string name, address, websocket;
    std::uint32_t load = 0;  ///< players
    FIELDS(name, address, websocket, load)
};
struct GatewayList {
    std::vector<GatewayEntry> gateways;
    std::vector<std::string> roots;
    FIELDS(gateways, roots)
};
struct LoginReply {
    std::string token;
    std::int64_t expires_at = 0;
    std::string player;
    std::string guest_key;
    std::vector<GatewayEntry> gateways;
    std::vector<std::string> roots;  ///< base64url of the public keys that gateways' certificates are signed with
    FIELDS(token, expires_at, player, guest_key, gateways, roots)
};
struct Key {
    std::string kty = "OKP", crv = "Ed25519", alg = "EdDSA", use = "sig", kid, x;
    FIELDS(kty, crv, alg, use, kid, x)
};
struct KeySet {
    std::vector<Key> keys;
    FIELDS(keys)
};

template <class T>
T read_body(const http::HttpRequest& request) {
    if (request.body.empty()) return {};
    return from_json<T>(request.body, Strictness::strict).value();
}

std::string address_of(const std::shared_ptr<http::HttpExchange>& exchange) {
    return session::canonical_address(exchange->request().remote_address);
}

std::vector<GatewayEntry> list_gateways(const cluster::RoleBus& bus) {
    std::vector<GatewayEntry> list;
    for (const auto& gateway : bus.ready(Role::gateway)) {
        if (!gateway.state.why.empty()) continue;  // it serves those who are in, and accepts nobody
        list.push_back({gateway.node, gateway.state.endpoint, gateway.state.websocket, gateway.state.load});
    }
    std::sort(list.begin(), list.end(), [](const auto& one, const auto& other) {
        return std::pair{one.load, one.name} < std::pair{other.load, other.name};
    });
    return list;
}

}  // namespace

LoginSettings::LoginSettings(Settings settings, bool development) {
    const auto login = settings.section("login");
    http_address =
        login.text("http.address", "127.0.0.1:7080", "where players log in over HTTP; port 0 takes any free one");
    certificate_file = login.text("tls.certificate_file", "",
                                  "PEM, with its chain, for https; read again when it changes; empty: plain HTTP; "
                                  "inside the data directory unless absolute");
    key_file = login.secret_file("tls.key_file", "", "PEM, the certificate's key");
    if (certificate_file.empty() != key_file.empty())
        login.reject("tls.certificate_file", "and tls.key_file go together: give both, or none");
    play = login.flag("http.play", development,
                      "a page at /play to try the server in a browser; in development mode only");
    const auto listed = login.texts("http.origins", {},
                                    "web pages from there may log players in, such as "
                                    "\"https://game.example\"; \"*\": all, as in development mode when none is listed");
    origins.insert(listed.begin(), listed.end());
    if (development && origins.empty()) origins.insert("*");
    const auto token = settings.section("token");
    private_key_file = token.secret_file("private_key_file", "token.key",
                                         "the key that signs tokens, inside the data directory unless absolute");
    zone = token.text("zone", "default", "tokens of another zone are refused");
    token_lifetime = std::chrono::seconds{
        token.integer("lifetime_seconds", 600, {10, 600}, "seconds", "how long a token can be used to enter")};
    root_files = read_root_files(settings);
    if (!read_client_listener(settings, development).encrypted) root_files.clear();
    cost.memory_kib =
        static_cast<std::uint32_t>(login.integer("password.memory_kib", development ? 19'456 : 65'536,
                                                 {19'456, 4'194'304}, "KiB", "memory of one Argon2id password hash"));
    cost.passes = static_cast<std::uint32_t>(
        login.integer("password.passes", 2, {2, 100}, "passes", "passes of one Argon2id password hash"));
    tries_per_account_max = static_cast<std::size_t>(login.integer("tries_per_account_max", 5, {1, 1'000'000}, "tries",
                                                                   "wrong passwords in a minute for one account"));
    tries_per_address_max = static_cast<std::size_t>(login.integer("tries_per_address_max", 10, {1, 1'000'000}, "tries",
                                                                   "wrong passwords in ten minutes from one address"));
    if (play && !development) login.reject("http.play", "is for development mode only");
    if (!development && certificate_file.empty() && !transport::is_loopback(http_address)) {
        login.reject("http.address",
                     "has no encryption, so outside of development mode it must be a loopback address behind a proxy "
                     "that adds TLS; or set tls.certificate_file and tls.key_file");
    }
}

void TryLimit::forget_old(runtime::Time now) {
    while (!order_.empty() && now - order_.front().first > window_) {
        const auto place = counts_.find(order_.front().second);
        if (--place->second == 0) counts_.erase(place);
        order_.pop_front();
    }
}

void TryLimit::check(const std::string& who, runtime::Time now) {
    forget_old(now);
    const auto place = counts_.find(who);
    if (place != counts_.end() && place->second >= most_) {
        throw Error{Code::limited, "too many wrong passwords; try again later"};
    }
}

void TryLimit::failed(const std::string& who, runtime::Time now) {
    // Bounded: an attacker with many addresses makes old entries go early.
    if (order_.size() >= 100'000) forget_old(order_.front().first + window_ + runtime::Duration{1});
    ++counts_[who];
    order_.emplace_back(now, who);
}

void TryLimit::forgive(const std::string& who) {
    const auto last =
        std::find_if(order_.rbegin(), order_.rend(), [&](const auto& entry) { return entry.second == who; });
    if (last == order_.rend()) return;
    order_.erase(std::next(last).base());
    const auto count = counts_.find(who);
    if (--count->second == 0) counts_.erase(count);
}

Login::Login(RoleContext& context)
    : loop_{context.loop},
      bus_{context.bus},
      settings_{context.settings, context.development},
      persistence_{context.bus, context.metrics},
      accounts_{persistence_, context.pool, context.loop, settings_.cost},
      data_directory_{context.data_directory},
      threads_{context.threads},
      tls_{context.metrics, Role::login},
      by_account_{settings_.tries_per_account_max, std::chrono::minutes{1}},
      by_address_{settings_.tries_per_address_max, std::chrono::minutes{10}},
      granted_{context.metrics.counter("gameserver_logins_total", "tokens granted")},
      refused_{context.metrics.counter("gameserver_logins_refused_total", "login requests that ended with an error")},
      timers_{context.loop} {
    bus_.watch([this](const cluster::Instance& instance, bool /*up*/) {
        if (started_ && instance.address.role == Role::gateway) report();
    });
}

runtime::Task<> Login::start() {
    const auto file = in_directory(data_directory_, settings_.private_key_file);
    auto key = load_private_key(file);
    if (!key) {
        throw Error{Code::invalid, "login cannot sign tokens: {}. Make the keys with: gameserver keygen --out {}",
                    key.error().message(), file.parent_path().string()};
    }
    key_ = std::move(*key);
    load_roots();
    co_await bus_.wait_for(Role::storage);
    if (threads_) {
        const auto address = transport::parse_host_port(settings_.http_address).value();
        http::HttpServerOptions options;
        options.address = address.host;
        options.port = address.port;
        load_certificate();
        if (tls_.current() != nullptr) options.tls = http::HttpTls{tls_.chain(), tls_.key()};
        server_ = std::make_unique<http::HttpServer>(options);
        route("POST", "/v1/guest", &Login::guest);
        route("POST", "/v1/register", &Login::register_account);
        route("POST", "/v1/login", &Login::log_in);
        route("GET", "/v1/gateways", &Login::gateways);
        route("GET", "/v1/keys", &Login::keys);
        if (settings_.play) serve_play();
        const auto started = server_->start();
        if (!started)
            throw Error{started.error().code(), "{}: {}",
                        options.tls ? "login.http.address, login.tls" : "login.http.address",
                        started.error().message()};
        settings_.http_address = fmt::format("{}:{}", address.host, server_->port());
        log::info("login listens on {}", url());
        if (tls_.current() != nullptr)
            timers_.every("certificate", certificate_check_period, [this] { renew_certificate(); });
    }
    started_ = true;
    report();
}

void Login::load_certificate() {
    if (settings_.certificate_file.empty()) return;
    const auto loaded = tls_.load(in_directory(data_directory_, settings_.certificate_file),
                                  in_directory(data_directory_, settings_.key_file));
    if (!loaded) throw Error{Code::invalid, "login.tls: {}", loaded.error().message()};
}

void Login::renew_certificate() {
    if (tls_.reload_changed()) renewal_due_ = true;
    if (!renewal_due_) return;
    const auto renewed = server_->renew_tls({tls_.chain(), tls_.key()});
    renewal_due_ = !renewed;
    if (!renewed) log::error("login goes on with its old TLS certificate for now: {}", renewed.error().message());
}

void Login::load_roots() {
    for (const auto& name : settings_.root_files) {
        const auto file = in_directory(data_directory_, name);
        const auto root = load_public_key(file);
        if (root) {
            roots_.push_back(base64url_encode(root->bytes()));
        } else if (root.error().code() == Code::not_found) {
            log::warn("login.root_files: {}; clients are not told of this root", root.error().message());
        } else {
            throw Error{Code::invalid, "login.root_files: {}", root.error().message()};
        }
    }
}

std::string Login::url() const {
    return fmt::format("{}://{}", settings_.certificate_file.empty() ? "http" : "https", settings_.http_address);
}

/// Ready when there is a gateway to send players to; without one each login is refused.
void Login::report() { bus_.announce(!bus_.ready(Role::gateway).empty(), 0, url()); }

runtime::Task<> Login::stop() {
    started_ = false;
    timers_.cancel_all();
    bus_.announce(false, 0, url());
    server_.reset();
    co_return;
}

void Login::route(const char* method, const char* path, Answer handler) {
    auto executor = [this](std::function<void()> work) { loop_.post(std::move(work)); };
    server_->route(method, path, std::move(executor), [this, handler](Exchange exchange) {
        tasks_.spawn(answer(handler, std::move(exchange)), "login request");
    });
    const auto run_at_once = [](const std::function<void()>& work) { work(); };
    server_->route("OPTIONS", path, run_at_once, [this](const Exchange& exchange) {
        http::HttpResponse response;
        response.status = 204;
        if (admit_page(exchange->request(), response)) {
            response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST");
            response.headers.emplace_back("Access-Control-Allow-Headers", "Content-Type, Authorization");
            response.headers.emplace_back("Access-Control-Max-Age", "600");
        }
        exchange->reply(std::move(response));
    });
}

/// A browser lets a page read the answer when it says so. Nothing is at stake but reading: there are no cookies.
bool Login::admit_page(const http::HttpRequest& request, http::HttpResponse& response) const {
    const std::string origin{request.header("Origin")};
    response.headers.emplace_back("Vary", "Origin");
    if (origin.empty()) return false;
    if (!settings_.origins.contains(origin) && !settings_.origins.contains("*")) return false;
    response.headers.emplace_back("Access-Control-Allow-Origin", origin);
    return true;
}

/// The page may load from here only, and connect to any gateway.
void Login::serve_play() {
    for (const auto& file : play_files()) {
        const auto run_at_once = [](const std::function<void()>& work) { work(); };
        server_->route("GET", std::string{file.path}, run_at_once, [file](const Exchange& exchange) {
            http::HttpResponse response;
            response.content_type = file.content_type;
            response.body = file.body;
            response.headers = {
                {"Content-Security-Policy",
                 "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
                 "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                {"X-Content-Type-Options", "nosniff"},
                {"Cache-Control", "no-cache"}};
            exchange->reply(std::move(response));
        });
    }
}

runtime::Task<http::HttpResponse> Login::call(Answer handler, Exchange exchange) {
    return (this->*handler)(std::move(exchange));
}

runtime::Task<> Login::answer(Answer handler, Exchange exchange) {
    http::HttpResponse response;
    try {
        response = co_await call(handler, exchange);
    } catch (const Error& error) {
        refused_.add();
        response = http::json_error(error.code(), error.message());
    }
    static_cast<void>(admit_page(exchange->request(), response));
    exchange->reply(std::move(response));
}

/// A center that does not answer checks it later, when the player enters.
runtime::Task<> Login::check_bans(std::vector<std::string> whom) {
    const auto center = bus_.any(Role::center);
    if (!center) co_return;
    session::CheckBans check;
    check.whom = std::move(whom);
    auto checked = co_await bus_.call(*center, std::move(check));
    if (!checked && checked.error().code() == Code::forbidden) throw Error{checked.error()};
}

runtime::Task<http::HttpResponse> Login::grant(Exchange exchange, Account account, std::string guest_key) {
    std::vector<std::string> whom{session::ban_of_player(account.player),
                                  session::ban_of_address(address_of(exchange))};
    co_await check_bans(std::move(whom));
    LoginReply reply;
    reply.gateways = list_gateways(bus_);
    if (reply.gateways.empty()) throw Error{Code::unavailable, "no gateway is ready right now; try again in a moment"};
    TokenClaims claims;
    claims.player = account.player;
    claims.account = account.name;
    claims.issued = std::chrono::time_point_cast<std::chrono::seconds>(loop_.wall_now());
    claims.expires = claims.issued + settings_.token_lifetime;
    claims.zone = settings_.zone;
    reply.token = sign_token(*key_, claims);
    reply.expires_at = claims.expires.time_since_epoch().count();
    reply.player = fmt::format("{}", account.player);
    reply.guest_key = std::move(guest_key);
    reply.roots = roots_;
    granted_.add();
    http::HttpResponse response;
    response.body = to_json(reply);
    response.headers.emplace_back("Cache-Control", "no-store");
    co_return response;
}

runtime::Task<http::HttpResponse> Login::guest(Exchange exchange) {
    auto request = read_body<GuestRequest>(exchange->request());
    std::vector<std::string> whom{session::ban_of_address(address_of(exchange))};
    co_await check_bans(std::move(whom));
    auto guest = co_await accounts_.guest(std::move(request.guest_key));
    co_return co_await grant(exchange, std::move(guest.account), std::move(guest.key));
}

runtime::Task<http::HttpResponse> Login::register_account(Exchange exchange) {
    auto request = read_body<PasswordRequest>(exchange->request());
    std::vector<std::string> whom{session::ban_of_address(address_of(exchange))};
    co_await check_bans(std::move(whom));
    auto account = co_await accounts_.register_account(std::move(request.name), std::move(request.password));
    co_return co_await grant(exchange, std::move(account), std::string{});
}

runtime::Task<http::HttpResponse> Login::log_in(Exchange exchange) {
    auto request = read_body<PasswordRequest>(exchange->request());
    if (request.name.size() > account_name_bytes_max) {
        throw Error{Code::unauthenticated, "the name or the password is wrong"};
    }
    const auto name = fold(request.name);
    const auto address = exchange->request().remote_address;
    by_account_.check(name, loop_.now());
    by_address_.check(address, loop_.now());
    // Counted before the wait, so that many guesses at once do not all pass; forgiven when it was none.
    by_account_.failed(name, loop_.now());
    by_address_.failed(address, loop_.now());
    Account account;
    Error failure{Code::ok, ""};
    try {
        account = co_await accounts_.authenticate(std::move(request.name), std::move(request.password));
    } catch (const Error& error) {
        failure = error;
    }
    if (failure.code() != Code::unauthenticated) {
        by_account_.forgive(name);
        by_address_.forgive(address);
    }
    if (failure.code() != Code::ok) throw Error{failure};
    co_return co_await grant(exchange, std::move(account), std::string{});
}

runtime::Task<http::HttpResponse> Login::gateways(Exchange /*exchange*/) {
    http::HttpResponse response;
    response.body = to_json(GatewayList{list_gateways(bus_), roots_});
    co_return response;
}

/// The public keys as a JWK set (RFC 7517), for services that verify tokens with a library of theirs.
runtime::Task<http::HttpResponse> Login::keys(Exchange /*exchange*/) {
    KeySet set;
    Key key;
    key.kid = key_->id();
    key.x = base64url_encode(key_->public_key().bytes());
    set.keys.push_back(std::move(key));
    http::HttpResponse response;
    response.body = to_json(set);
    co_return response;
}

}  // namespace gs::login

GS_ROLE(login, login::Login)
