#include <algorithm>
#include <array>
#include <thread>

#include <catch2/catch.hpp>
#include "base/json_tree.hpp"

#include "base/crypto/crypto.hpp"
#include "base/crypto/token.hpp"
#include "http/client.hpp"
#include "roles/login/login.hpp"
#include "tests/scenarios/real_node.hpp"

namespace gs::login {

namespace {

using nlohmann::json;
using scenarios::RealNode;

std::string text(const json& value) { return value.get<std::string>(); }

struct Answer {
    unsigned status = 0;
    json body;
    [[nodiscard]] std::string error() const { return body.value(json::json_pointer{"/error/message"}, ""); }
    [[nodiscard]] std::string code() const { return body.value(json::json_pointer{"/error/code"}, ""); }
};

class Browser {
public:
    explicit Browser(RealNode& node) : node_{node} {}

    Answer send(const std::string& method, const std::string& path, std::string body = {}) {
        http::HttpFetch fetch;
        fetch.method = method;
        fetch.url = node_.login_url(path);
        fetch.body = std::move(body);
        const auto response = client_.fetch(fetch).value();
        return {response.status, parse_json_or_discard(response.body)};
    }
    http::HttpResponse ask(const std::string& method, const std::string& path, const std::string& origin) {
        http::HttpFetch fetch;
        fetch.method = method;
        fetch.url = node_.login_url(path);
        if (!origin.empty()) fetch.headers.emplace_back("Origin", origin);
        return client_.fetch(fetch).value();
    }
    Answer post(const std::string& path, const json& body) { return send("POST", path, body.dump()); }

private:
    RealNode& node_;
    http::HttpClient client_;
};

json account(const std::string& name, const std::string& password) { return {{"name", name}, {"password", password}}; }

/// What a service of the operator's own would do: take the key from /v1/keys and verify.
TokenClaims verify(Browser& browser, const std::string& token) {
    const auto keys = browser.send("GET", "/v1/keys").body["keys"];
    REQUIRE(keys.size() == 1);
    CHECK(text(keys[0]["kty"]) == "OKP");
    CHECK(text(keys[0]["crv"]) == "Ed25519");
    const auto bytes = base64url_decode(text(keys[0]["x"])).value();
    REQUIRE(bytes.size() == 32);
    std::array<std::uint8_t, 32> key{};
    std::copy(bytes.begin(), bytes.end(), key.begin());
    const PublicKey public_key{key};
    CHECK(text(keys[0]["kid"]) == public_key.id());
    TokenVerifier verifier{"default"};
    verifier.add_key(public_key);
    return verifier.verify(token, std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now()))
        .value();
}

}  // namespace

TEST_CASE("a guest gets a token and comes back as the same player by its key", "[login][SES-05]") {
    RealNode node;
    Browser browser{node};
    const auto first = browser.send("POST", "/v1/guest");
    REQUIRE(first.status == 200);
    CHECK(text(first.body["gateways"][0]["address"]) == node.gateway());
    const auto key = text(first.body["guest_key"]);
    CHECK(key.size() == 32);
    const auto claims = verify(browser, text(first.body["token"]));
    CHECK(fmt::format("{}", claims.player) == text(first.body["player"]));
    CHECK(claims.expires.time_since_epoch().count() == first.body["expires_at"].get<std::int64_t>());

    const auto again = browser.post("/v1/guest", {{"guest_key", key}});
    REQUIRE(again.status == 200);
    CHECK(text(again.body["player"]) == text(first.body["player"]));
    const auto another = browser.send("POST", "/v1/guest", "{}");
    CHECK(text(another.body["player"]) != text(first.body["player"]));
    const auto unknown = browser.post("/v1/guest", {{"guest_key", "made up"}});
    CHECK(unknown.status == 401);
    CHECK(unknown.error() == "this guest key is not known; leave it out to get a new guest account");
    CHECK(node.metric("gameserver_logins_total") == 3);
    CHECK(node.metric("gameserver_logins_refused_total") == 1);
}

TEST_CASE("an account is registered and logs in with its password only", "[login][ACC-01]") {
    RealNode node;
    Browser browser{node};
    const auto registered = browser.post("/v1/register", account("Anna", "correct horse"));
    REQUIRE(registered.status == 200);
    CHECK(verify(browser, text(registered.body["token"])).account == "Anna");
    const auto in = browser.post("/v1/login", account("anna", "correct horse"));
    REQUIRE(in.status == 200);
    CHECK(text(in.body["player"]) == text(registered.body["player"]));
    CHECK(browser.post("/v1/register", account("ANNA", "another one")).code() == "conflict");

    const auto wrong = browser.post("/v1/login", account("anna", "wrong horse"));
    const auto nobody = browser.post("/v1/login", account("nobody", "correct horse"));
    CHECK(wrong.status == 401);
    CHECK(nobody.status == 401);
    CHECK(wrong.body.dump() == nobody.body.dump());
    CHECK(wrong.error() == "the name or the password is wrong");
}

TEST_CASE("names and passwords against the rules are refused with the rule", "[login][hostile]") {
    RealNode node;
    Browser browser{node};
    for (const auto* name : {"", "ab", "with space", "semi;colon", "a name that is far longer than thirty-two"}) {
        const auto refused = browser.post("/v1/register", account(name, "correct horse"));
        CHECK(refused.status == 400);
        CHECK(refused.error() == "an account name has 3 to 32 letters, digits, dots, dashes or underscores");
    }
    const auto brief = browser.post("/v1/register", account("anna", "short"));
    CHECK(brief.status == 400);
    CHECK_THAT(brief.error(), Catch::Contains("a password has 8 to"));
    CHECK(browser.post("/v1/register", account("anna", std::string(5000, 'x'))).status == 400);
}

TEST_CASE("wrong passwords are limited for each account whatever the case of its name", "[login][hostile]") {
    RealNode node;
    Browser browser{node};
    REQUIRE(browser.post("/v1/register", account("anna", "correct horse")).status == 200);
    for (const auto* name : {"anna", "Anna", "ANNA", "annA", "aNNa"}) {
        CHECK(browser.post("/v1/login", account(name, "wrong horse")).status == 401);
    }
    const auto limited = browser.post("/v1/login", account("anna", "correct horse"));
    CHECK(limited.status == 429);
    CHECK(limited.error() == "too many wrong passwords; try again later");
    CHECK(browser.post("/v1/login", account("ANna", "correct horse")).status == 429);
}

TEST_CASE("wrong passwords are limited for each address", "[login][hostile]") {
    RealNode node;
    Browser browser{node};
    for (int count = 0; count < 10; ++count) {
        CHECK(browser.post("/v1/login", account(fmt::format("user{}", count), "wrong horse")).status == 401);
    }
    CHECK(browser.post("/v1/login", account("user99", "wrong horse")).status == 429);
}

TEST_CASE("guesses that come at the same time are all counted", "[login][hostile][LOG-04]") {
    RealNode node{{{"login.tries_per_address_max", std::int64_t{1'000}}}};
    {
        Browser browser{node};
        REQUIRE(browser.post("/v1/register", account("anna", "correct horse")).status == 200);
        // Those who know the password are not counted.
        for (int count = 0; count < 7; ++count) {
            REQUIRE(browser.post("/v1/login", account("anna", "correct horse")).status == 200);
        }
    }
    std::array<unsigned, 20> statuses{};
    std::vector<std::thread> guessers;
    for (auto& status : statuses) {
        guessers.emplace_back([&node, &status] {
            Browser browser{node};
            status = browser.post("/v1/login", account("anna", "wrong horse")).status;
        });
    }
    for (auto& guesser : guessers) guesser.join();
    CHECK(std::count(statuses.begin(), statuses.end(), 401U) == 5);
    CHECK(std::count(statuses.begin(), statuses.end(), 429U) == 15);
}

TEST_CASE("a try that was none is forgiven and no other", "[login]") {
    using namespace std::chrono_literals;
    TryLimit limit{2, 60s};
    const runtime::Time start{};
    limit.forgive("anna");  // nothing to forgive
    limit.failed("anna", start);
    limit.failed("bert", start + 10s);
    limit.failed("anna", start + 20s);
    CHECK_THROWS(limit.check("anna", start + 21s));
    limit.forgive("anna");
    limit.forgive("carl");
    CHECK_NOTHROW(limit.check("anna", start + 21s));
    limit.failed("anna", start + 30s);
    CHECK_THROWS(limit.check("anna", start + 31s));  // the first one still counts
    limit.failed("bert", start + 31s);
    CHECK_THROWS(limit.check("bert", start + 32s));
    CHECK_NOTHROW(limit.check("anna", start + 61s));
    limit.forgive("anna");
    limit.forgive("anna");
    limit.failed("anna", start + 62s);
    CHECK_NOTHROW(limit.check("anna", start + 62s));
    CHECK_THROWS(limit.check("bert", start + 62s));
}

TEST_CASE("wrong tries are forgotten after their window", "[login]") {
    using namespace std::chrono_literals;
    TryLimit limit{2, 60s};
    const runtime::Time start{};
    limit.failed("anna", start);
    limit.failed("anna", start + 30s);
    CHECK_THROWS_WITH(limit.check("anna", start + 59s), "too many wrong passwords; try again later");
    CHECK_NOTHROW(limit.check("bert", start + 59s));
    CHECK_NOTHROW(limit.check("anna", start + 61s));
    limit.failed("anna", start + 61s);
    CHECK_THROWS(limit.check("anna", start + 62s));
    CHECK_NOTHROW(limit.check("anna", start + 300s));
}

TEST_CASE("requests that are no login are refused with what is wrong", "[login][hostile]") {
    RealNode node;
    Browser browser{node};
    const auto malformed = browser.send("POST", "/v1/login", R"({"name": "anna", )");
    CHECK(malformed.status == 400);
    CHECK(malformed.code() == "invalid");
    CHECK_FALSE(malformed.error().empty());
    const auto unknown = browser.send("POST", "/v1/login", R"({"name": "anna", "pasword": "correct horse"})");
    CHECK(unknown.status == 400);
    CHECK_THAT(unknown.error(), Catch::Contains("pasword"));
    const auto number = browser.send("POST", "/v1/login", R"({"name": 7, "password": "correct horse"})");
    CHECK(number.status == 400);
    CHECK_THAT(number.error(), Catch::Contains("name"));
    CHECK(browser.send("POST", "/v1/login", std::string(10U << 20U, ' ')).status == 413);
    CHECK(browser.send("GET", "/v1/login").status == 405);
    CHECK(browser.send("GET", "/v1/nothing").status == 404);
    CHECK(browser.send("POST", "/v1/guest").status == 200);
}

TEST_CASE("the list of gateways needs no login", "[login]") {
    RealNode node;
    Browser browser{node};
    const auto list = browser.send("GET", "/v1/gateways");
    REQUIRE(list.status == 200);
    REQUIRE(list.body["gateways"].size() == 1);
    CHECK(text(list.body["gateways"][0]["address"]) == node.gateway());
}

TEST_CASE("nobody is sent to a gateway that accepts nobody, as memory runs out", "[login][LOG-08][NET-14]") {
    RealNode node;
    Browser browser{node};
    const auto status_becomes = [&](unsigned status) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (browser.send("POST", "/v1/guest").status != status) {
            if (std::chrono::steady_clock::now() > until) return false;
        }
        return true;
    };
    node.set_memory(95);
    CHECK(status_becomes(503));
    CHECK(browser.send("GET", "/v1/gateways").body["gateways"].size() == 0);
    node.set_memory(50);
    CHECK(status_becomes(200));
}

TEST_CASE("pages of listed origins may read the answers, in a browser", "[login][DEP-05]") {
    RealNode node{{}, {{"login.http.origins", {std::string{"https://game.example"}}}}};
    Browser browser{node};
    const auto asked = browser.ask("OPTIONS", "/v1/guest", "https://game.example");
    CHECK(asked.status == 204);
    CHECK(asked.header("Access-Control-Allow-Origin") == "https://game.example");
    CHECK(asked.header("Access-Control-Allow-Headers") == "Content-Type, Authorization");
    const auto answered = browser.ask("POST", "/v1/guest", "https://game.example");
    CHECK(answered.status == 200);
    CHECK(answered.header("Access-Control-Allow-Origin") == "https://game.example");
    CHECK(answered.header("Vary") == "Origin");
    const auto refused = browser.ask("POST", "/v1/login", "https://game.example");
    CHECK(refused.status == 401);
    CHECK(refused.header("Access-Control-Allow-Origin") == "https://game.example");
    for (const auto* method : {"OPTIONS", "POST"}) {
        const auto other = browser.ask(method, "/v1/guest", "https://other.example");
        CHECK(other.header("Access-Control-Allow-Origin").empty());
        CHECK(other.header("Access-Control-Allow-Methods").empty());
        CHECK(browser.ask(method, "/v1/guest", "").header("Access-Control-Allow-Origin").empty());
    }
}

}  // namespace gs::login
