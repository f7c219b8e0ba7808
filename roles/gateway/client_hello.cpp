// How a connection begins: a balancer's header, the layers that its first bytes ask for, and the hello.
#include "roles/gateway/client.hpp"
#include "roles/gateway/gateway.hpp"

namespace gs::gateway {

namespace {
constexpr std::size_t version_bytes_max = 32;
}

/// A balancer says whose connection it is, before anything else.
std::size_t Client::take_proxy_header(BytesView bytes) {
    const auto header = wire::read_proxy_header(bytes);
    if (header.fault != nullptr) {
        gateway_.count().rejected_foreign.add();
        log::warn("the balancer {} is in gateway.proxies, but its connection does not begin with a PROXY header: {}",
                  address_, header.fault);
        state_ = State::closed;
        connection_->close();
        gateway_.ended(*this, header.fault);
        return bytes.size();
    }
    if (header.consumed == 0) return 0;
    behind_proxy_ = false;
    gateway_.set_address(*this, header.address.empty() ? std::string{address_} : header.address);
    const auto rest = bytes.subspan(header.consumed);
    return header.consumed + (rest.empty() ? 0 : state_ == State::closed ? rest.size() : on_bytes(rest));
}

/// What the game's protocol may travel in, told by its first bytes.
std::size_t Client::unwrap(BytesView bytes, std::string_view protocol) {
    if (!greet()) return bytes.size();  // a handshake of TLS costs more than a hello
    std::shared_ptr<transport::Layer> layer;
    auto* certificate = gateway_.tls_certificate();
    if (protocol == "TLS" && certificate != nullptr && !in_tls_ && !in_websocket_) {
        layer = certificate->accept(gateway_.loop(), connection_);
        in_tls_ = true;
    } else if (protocol == "HTTP" && as_text(bytes).starts_with("GET ") && !in_websocket_) {
        layer = transport::accept_websocket(gateway_.loop(), connection_);
        in_websocket_ = true;
    } else {
        refuse_foreign(protocol);
        return bytes.size();
    }
    connection_ = layer;
    layer->start(*this);
    return layer->on_bytes(bytes);
}

bool Client::greet() {
    if (std::exchange(greeted_, true)) return true;
    const auto objection = gateway_.door().greet(address_);
    if (objection.empty()) return true;
    gateway_.count().rejected_full.add();
    refuse_hello(Code::busy, objection);
    return false;
}

void Client::on_hello(BytesView payload) {
    const auto hello = wire::parse_client_hello(payload);
    if (!hello) {
        gateway_.count().rejected_hello.add();
        refuse_hello(Code::invalid, hello.error().message());
        return;
    }
    if (hello->protocol_min > wire::protocol_version || hello->protocol_max < wire::protocol_version) {
        gateway_.count().rejected_hello.add();
        refuse_hello(Code::invalid, fmt::format("this server speaks protocol {}, the client {} to {}",
                                                wire::protocol_version, hello->protocol_min, hello->protocol_max));
        return;
    }
    if (!greet()) return;
    const bool may_encrypt = gateway_.settings().encrypted;
    if (!may_encrypt && !hello->handshake.empty()) {
        gateway_.count().rejected_hello.add();
        refuse_hello(Code::invalid, "this gateway does not encrypt, and the client asks for it");
        return;
    }
    wire::ServerHello answer;
    answer.heartbeat_ms = static_cast<std::uint32_t>(gateway_.settings().heartbeat.count() * 1000);
    answer.frame_bytes_max = static_cast<std::uint32_t>(gateway_.settings().frame_bytes_max);
    answer.nonce = nonce();
    const bool is_safe_already = in_tls_ && hello->handshake.empty();
    const auto& offered = gateway_.settings();
    answer.features = hello->features & (offered.compress_from != 0 ? wire::feature::compression : 0);
    if (offered.message_age_max.count() != 0) answer.features |= hello->features & wire::feature::time;
    if (offered.checksum && !may_encrypt && !in_tls_) answer.features |= hello->features & wire::feature::checksum;
    features_ = static_cast<std::uint8_t>(answer.features);
    version_ = hello->client_version.substr(0, version_bytes_max);
    if (may_encrypt && !is_safe_already) {
        state_ = State::handshake;
        since_ = gateway_.second();
        gateway_.shake_hands(*this, payload, std::move(answer));
        return;
    }
    wire::write_hello(connection_->output(), answer);
    begin_token();
}

void Client::begin_token() {
    state_ = State::token;
    since_ = gateway_.second();
    check_version();
}

/// Said behind the hello, so that on an encrypted connection nobody else can say it.
void Client::check_version() {
    const auto& oldest = gateway_.settings().client_version_min;
    if (!oldest || session::parse_version(version_).value_or(session::Version{}) >= *oldest) return;
    gateway_.count().rejected_version.add();
    wire::Close notice;
    notice.code = Code::outdated;
    notice.reconnect = false;
    notice.upgrade = gateway_.settings().upgrade_address;
    notice.reason = fmt::format("this version of the game is too old for the server; please get a newer one{}{}",
                                notice.upgrade.empty() ? "" : ": ", notice.upgrade);
    close(notice);
}

void Client::end_handshake(Result<Handshaken> outcome) {
    if (state_ != State::handshake) return;
    if (!outcome) {
        gateway_.count().rejected_hello.add();
        refuse_hello(outcome.error().code(), outcome.error().message());
        return;
    }
    connection_->output().append(outcome->answer);
    auto secure = std::make_shared<transport::SecureConnection>(
        gateway_.loop(), connection_, std::move(outcome->records), gateway_.settings().frame_bytes_max_before_enter);
    secure_ = secure.get();
    connection_ = std::move(secure);
    connection_->start(*this);
    begin_token();
    if (state_ == State::token) connection_->set_reading(true);
}

void Client::refuse_hello(Code code, std::string_view reason) {
    wire::ServerHello answer;
    answer.code = code;
    answer.message = reason;
    wire::write_hello(connection_->output(), answer);
    connection_->close_after_send();
    state_ = State::closed;
    gateway_.ended(*this, reason);
}

void Client::refuse_foreign(std::string_view protocol) {
    gateway_.count().rejected_foreign.add();
    if (protocol == "HTTP") {
        const std::string text =
            "This is the game port of a gameserver: it speaks the game's own protocol and WebSocket, not HTTP.\n"
            "Players log in over HTTP at the address of the login role.\n";
        connection_->output().append(as_bytes(fmt::format(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
            text.size(), text)));
    }
    connection_->close_after_send();
    state_ = State::closed;
    gateway_.ended(*this, fmt::format("it speaks {}, not the game's protocol", protocol));
}

}  // namespace gs::gateway
