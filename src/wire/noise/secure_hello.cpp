#include "wire/noise/secure_hello.hpp"

#include <algorithm>

#include "base/msgpack.hpp"
#include "wire/frame.hpp"

namespace gs::wire::noise {

namespace {

constexpr std::size_t fields_before_handshake = 4;

/// Where the value of the field handshake is in the payload.
Result<BytesView> handshake_in(BytesView client_hello) {
    const auto body = client_hello.subspan(std::min(hello_magic.size(), client_hello.size()));
    msgpack::Reader reader{body};
    const auto fields = reader.array();
    for (std::size_t field = 0; field < fields_before_handshake; ++field) reader.skip();
    const auto value = reader.binary();
    if (reader.failed() || fields <= fields_before_handshake) {
        return Error{Code::invalid, "the hello has no field for a handshake"};
    }
    return value;
}

Error not_authentic(std::string_view why) {
    return {Code::unauthenticated, "what answers there cannot show that it is a gateway of this zone: {}", why};
}

}  // namespace

Result<Binary> prologue_of(BytesView client_hello) {
    const auto value = handshake_in(client_hello);
    if (!value) return value.error();
    const auto before = static_cast<std::size_t>(value->data() - client_hello.data());
    Binary prologue{client_hello.begin(), client_hello.begin() + static_cast<std::ptrdiff_t>(before)};
    const auto after = client_hello.subspan(before + value->size());
    prologue.insert(prologue.end(), after.begin(), after.end());
    return prologue;
}

Result<Records> answer_secure_hello(BytesView client_hello, const Identity& identity, const ServerHello& hello,
                                    Buffer& out, std::optional<ExchangeKey> ephemeral) {
    const auto first = handshake_in(client_hello);
    if (!first) return first.error();
    if (first->empty()) {
        return Error{Code::invalid,
                     "this gateway speaks encrypted only; the hello has no handshake. A client needs to "
                     "know the roots that login names"};
    }
    if (first->size() != client_handshake_bytes) {
        return Error{Code::invalid, "the handshake in the hello has {} bytes; it must have {}", first->size(),
                     client_handshake_bytes};
    }
    const auto prologue = prologue_of(client_hello);
    if (!prologue) return prologue.error();
    Handshake handshake{Pattern::nx, Side::responder, *prologue, {identity.key, {}, std::move(ephemeral)}};
    const auto read = handshake.read(*first);
    if (!read) return read.error();
    Buffer second;
    const auto written = handshake.write(msgpack::encode(SecureHello{identity.certificate, hello}), second);
    if (!written) return written.error();
    ServerHello outer;
    outer.security = security_name;
    outer.handshake = {second.view().begin(), second.view().end()};
    write_hello(out, outer);
    const auto ciphers = handshake.split();
    return Records{RecordWriter{ciphers.of_responder}, RecordReader{ciphers.of_initiator}};
}

ClientHandshake::ClientHandshake(ClientHello hello, Buffer& out, std::optional<ExchangeKey> ephemeral) {
    hello.handshake.assign(client_handshake_bytes, 0);
    const auto begin = out.size();
    write_hello(out, hello);
    const auto payload = out.view().subspan(begin + frame_prefix_bytes);
    const auto value = handshake_in(payload).value();
    const auto place = static_cast<std::size_t>(value.data() - out.data());
    handshake_.emplace(Pattern::nx, Side::initiator, prologue_of(payload).value(),
                       HandshakeKeys{{}, {}, std::move(ephemeral)});
    Buffer first;
    handshake_->write({}, first).value();
    std::copy(first.view().begin(), first.view().end(), out.data() + place);
}

Result<ClientHandshake::Finished> ClientHandshake::finish(const ServerHello& answer, const Trust& trust,
                                                          std::int64_t now) {
    if (answer.security != security_name) {
        return not_authentic(
            fmt::format("it answers with security \"{}\", where \"{}\" was asked for", answer.security, security_name));
    }
    const auto payload = handshake_->read(answer.handshake);
    if (!payload) return not_authentic(payload.error().message());
    auto secure = msgpack::decode<SecureHello>(*payload);
    if (!secure) return not_authentic("its handshake does not decode: " + secure.error().message());
    auto certificate = verify_certificate(secure->certificate, trust, CertificateKind::gateway, now);
    if (!certificate) return not_authentic(certificate.error().message());
    if (!std::equal(certificate->static_key.begin(), certificate->static_key.end(),
                    handshake_->remote_static()->begin())) {
        return not_authentic("the certificate is for another key than the one it uses");
    }
    const auto ciphers = handshake_->split();
    handshake_.reset();
    return Finished{std::move(secure->hello), std::move(*certificate),
                    Records{RecordWriter{ciphers.of_initiator}, RecordReader{ciphers.of_responder}}};
}

}  // namespace gs::wire::noise
