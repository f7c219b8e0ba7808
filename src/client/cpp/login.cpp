#include "client/cpp/login.hpp"

#include <algorithm>
#include <charconv>

#include "base/json_tree.hpp"

#include "base/crypto/crypto.hpp"

namespace gs::client {

namespace {

using nlohmann::json;

template <class Number>
bool parse_number(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

Gateway gateway_from(const json& item) {
    Gateway gateway;
    gateway.name = item.at("name").get<std::string>();
    gateway.load = item.value("load", 0.0);
    const auto address = item.at("address").get<std::string>();
    const auto colon = address.rfind(':');
    if (colon == std::string::npos || !parse_number(std::string_view{address}.substr(colon + 1), gateway.port)) {
        throw Error{Code::invalid, "the login server names the gateway address '{}'; expected host:port", address};
    }
    gateway.host = address.substr(0, colon);
    if (gateway.host.starts_with('[') && gateway.host.ends_with(']')) {
        gateway.host = gateway.host.substr(1, gateway.host.size() - 2);
    }
    return gateway;
}

PublicKey root_from(const json& item) {
    const auto bytes = base64url_decode(item.get<std::string>());
    std::array<std::uint8_t, 32> key{};
    if (!bytes || bytes->size() != key.size()) {
        throw Error{Code::invalid, "the login server names a root that is not the base64url of {} bytes", key.size()};
    }
    std::copy(bytes->begin(), bytes->end(), key.begin());
    return PublicKey{key};
}

std::vector<Gateway> gateways_from(const json& answer) {
    std::vector<PublicKey> roots;
    for (const auto& item : answer.value("roots", json::array())) roots.push_back(root_from(item));
    std::vector<Gateway> gateways;
    for (const auto& item : answer.at("gateways")) {
        gateways.push_back(gateway_from(item));
        gateways.back().roots = roots;
    }
    return gateways;
}

/// Runs `parse` on the JSON; whatever is missing or of another type becomes an Error.
template <class T, class Parse>
Result<T> parse_answer(std::string_view text, Parse parse) {
    try {
        return parse(parse_json(text));
    } catch (const json::exception& problem) {
        return Error{Code::invalid, "the login server's answer is not as expected: {}", problem.what()};
    } catch (const Error& error) {
        return error;
    }
}

std::string credentials(std::string_view name, std::string_view password) {
    return json{{"name", name}, {"password", password}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Result<Login> parse_login(std::string_view text) {
    return parse_answer<Login>(text, [](const json& answer) {
        Login login;
        login.token = answer.at("token").get<std::string>();
        login.expires_at = answer.at("expires_at").get<std::int64_t>();
        login.guest_key = answer.value("guest_key", std::string{});
        const auto player = answer.at("player").get<std::string>();
        std::uint64_t number = 0;
        if (!parse_number(player, number)) {
            throw Error{Code::invalid, "the login server names the player '{}'; expected a decimal number", player};
        }
        login.player = PlayerId{number};
        login.gateways = gateways_from(answer);
        return login;
    });
}

Result<std::vector<Gateway>> parse_gateways(std::string_view text) {
    return parse_answer<std::vector<Gateway>>(text, gateways_from);
}

Error parse_login_error(unsigned status, std::string_view text) {
    const auto answer = parse_json_or_discard(text);
    const auto error = answer.is_object() ? answer.value("error", json::object()) : json::object();
    if (error.is_object() && error.contains("code") && error["code"].is_string()) {
        const auto name = error["code"].get<std::string>();
        const auto message =
            error.contains("message") && error["message"].is_string() ? error["message"].get<std::string>() : name;
        for (unsigned number = 1; number <= 0xff; ++number) {
            const auto code = static_cast<Code>(number);
            if (to_string(code) == name && name != "unknown") return Error::verbatim(code, message);
        }
    }
    return Error{status >= 500 ? Code::unavailable : Code::invalid, "the login server answered with HTTP status {}",
                 status};
}

LoginClient::LoginClient(std::string base_url, std::string ca_file)
    : base_url_{std::move(base_url)}, ca_file_{std::move(ca_file)} {
    while (base_url_.ends_with('/')) base_url_.pop_back();
}

Result<std::string> LoginClient::fetch(std::string method, std::string_view path, std::string body) {
    http::HttpFetch fetch;
    fetch.method = std::move(method);
    fetch.url = base_url_ + std::string{path};
    fetch.body = std::move(body);
    fetch.ca_file = ca_file_;
    if (!fetch.body.empty()) fetch.headers.emplace_back("Content-Type", "application/json");
    auto response = http_.fetch(fetch);
    if (!response) return response.error();
    if (response->status / 100 != 2) return parse_login_error(response->status, response->body);
    return std::move(response->body);
}

Result<Login> LoginClient::guest(std::string_view guest_key) {
    auto body = json::object();
    if (!guest_key.empty()) body["guest_key"] = guest_key;
    const auto answer = fetch("POST", "/v1/guest", body.dump());
    return answer ? parse_login(*answer) : answer.error();
}

Result<Login> LoginClient::register_account(std::string_view name, std::string_view password) {
    const auto answer = fetch("POST", "/v1/register", credentials(name, password));
    return answer ? parse_login(*answer) : answer.error();
}

Result<Login> LoginClient::login(std::string_view name, std::string_view password) {
    const auto answer = fetch("POST", "/v1/login", credentials(name, password));
    return answer ? parse_login(*answer) : answer.error();
}

Result<std::vector<Gateway>> LoginClient::gateways() {
    const auto answer = fetch("GET", "/v1/gateways", {});
    return answer ? parse_gateways(*answer) : answer.error();
}

}  // namespace gs::client
