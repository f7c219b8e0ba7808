// The HTTP exchange that turns a connection into a WebSocket (RFC 6455, section 4).
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/crypto/crypto.hpp"
#include "wire/websocket.hpp"

namespace gs::wire::websocket {

namespace {

constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::string_view key_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t key_bytes = 16;

bool same_letters(std::string_view one, std::string_view other) {
    const auto small = [](char letter) { return letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : letter; };
    return one.size() == other.size() &&
           std::equal(one.begin(), one.end(), other.begin(), [&](char a, char b) { return small(a) == small(b); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// The first line and the fields of an HTTP message whose end was found.
class Head {
public:
    explicit Head(std::string_view text) {
        first_line_ = next_line(text);
        fields_ = text;
    }
    [[nodiscard]] std::string_view first_line() const { return first_line_; }

    /// The values of all fields of that name, with commas between.
    [[nodiscard]] std::string all(std::string_view name) const {
        std::string values;
        for (auto rest = fields_; !rest.empty();) {
            const auto line = next_line(rest);
            const auto colon = line.find(':');
            if (colon == std::string_view::npos || !same_letters(line.substr(0, colon), name)) continue;
            if (!values.empty()) values += ',';
            values += trimmed(line.substr(colon + 1));
        }
        return values;
    }
    [[nodiscard]] bool has_token(std::string_view name, std::string_view token, bool any_case = true) const {
        const auto values = all(name);
        for (std::string_view rest = values; !rest.empty();) {
            const auto comma = rest.find(',');
            const auto value = trimmed(rest.substr(0, comma));
            if (any_case ? same_letters(value, token) : value == token) return true;
            rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        }
        return false;
    }

private:
    static std::string_view next_line(std::string_view& text) {
        const auto end = text.find("\r\n");
        const auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 2);
        return line;
    }
    std::string_view first_line_, fields_;
};

std::string accept_key(std::string_view key) {
    return base64_encode(sha1(as_bytes(std::string{key}.append(key_suffix))));
}

void append(Buffer& out, std::string_view text) { out.append(as_bytes(text)); }

Upgrade refuse(Upgrade upgrade, int refusal, std::string reason) {
    upgrade.refusal = refusal;
    upgrade.reason = std::move(reason);
    return upgrade;
}

std::string_view meaning(int refusal) {
    switch (refusal) {
        case 426:
            return "Upgrade Required";
        case 431:
            return "Request Header Fields Too Large";
        case 503:
            return "Service Unavailable";
        default:
            return "Bad Request";
    }
}

}  // namespace

Upgrade read_upgrade(BytesView bytes) {
    Upgrade upgrade;
    const auto text = as_text(bytes.first(std::min(bytes.size(), head_bytes_max)));
    const auto end = text.find(end_of_head);
    if (end == std::string_view::npos) {
        if (bytes.size() < head_bytes_max) return upgrade;
        upgrade.consumed = bytes.size();
        return refuse(std::move(upgrade), 431, fmt::format("the request is longer than {} bytes", head_bytes_max));
    }
    upgrade.consumed = end + end_of_head.size();
    const Head head{text.substr(0, end)};
    if (!head.first_line().starts_with("GET ") || !head.first_line().ends_with(" HTTP/1.1"))
        return refuse(std::move(upgrade), 400, "a WebSocket begins with GET and HTTP/1.1");
    if (!head.has_token("upgrade", "websocket") || !head.has_token("connection", "upgrade")) {
        return refuse(std::move(upgrade), 426,
                      "This is the game port of a gameserver: it speaks the game's own protocol,\n"
                      "alone or inside of a WebSocket, not plain HTTP.\n"
                      "Players log in over HTTP at the address of the login role.");
    }
    if (head.all("sec-websocket-version") != "13")
        return refuse(std::move(upgrade), 426, "version 13 of WebSocket is spoken here");
    upgrade.key = head.all("sec-websocket-key");
    const auto key = base64_decode(upgrade.key);
    if (!key || key->size() != key_bytes || head.all("host").empty())
        return refuse(std::move(upgrade), 400, "Host and a Sec-WebSocket-Key of 16 bytes in base64 are needed");
    if (!head.has_token("sec-websocket-protocol", subprotocol, false))
        return refuse(std::move(upgrade), 400, fmt::format("the client must offer the subprotocol {}", subprotocol));
    return upgrade;
}

void write_upgrade_answer(Buffer& out, std::string_view key) {
    append(out, fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
                            accept_key(key), subprotocol));
}

void write_refusal(Buffer& out, int refusal, std::string_view reason) {
    append(out, fmt::format("HTTP/1.1 {} {}\r\n{}Content-Type: text/plain\r\nContent-Length: {}\r\n"
                            "Connection: close\r\n\r\n{}\n",
                            refusal, meaning(refusal),
                            refusal == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "",
                            reason.size() + 1, reason));
}

std::string make_key() {
    std::array<std::uint8_t, key_bytes> bytes{};
    fill_random(bytes);
    return base64_encode(bytes);
}

void write_upgrade(Buffer& out, std::string_view host, std::string_view key) {
    append(out, fmt::format("GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
                            host, key, subprotocol));
}

Result<std::size_t> read_upgrade_answer(BytesView bytes, std::string_view key) {
    const auto text = as_text(bytes.first(std::min(bytes.size(), head_bytes_max)));
    const auto end = text.find(end_of_head);
    if (end == std::string_view::npos && bytes.size() < head_bytes_max) return std::size_t{0};
    const Head head{text.substr(0, end)};
    if (end == std::string_view::npos || !head.first_line().starts_with("HTTP/1.1 101"))
        return Error{Code::unavailable, "no WebSocket is spoken there; the answer was \"{}\"", head.first_line()};
    if (head.all("sec-websocket-accept") != accept_key(key) || head.all("sec-websocket-protocol") != subprotocol)
        return Error{Code::unavailable, "the answer to the WebSocket request is not the one to this request"};
    return end + end_of_head.size();
}

}  // namespace gs::wire::websocket
