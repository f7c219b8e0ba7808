#include "wire/system.hpp"

#include <algorithm>
#include <array>

#include "base/crypto/crypto.hpp"
#include "base/msgpack.hpp"
#include "wire/frame.hpp"

namespace gs::wire {

namespace {

template <class Hello>
Result<Hello> parse_hello(BytesView payload) {
    if (payload.size() < hello_magic.size() || as_text(payload.first(hello_magic.size())) != hello_magic) {
        return Error{Code::invalid, "the connection does not start with the hello of this protocol ({})", hello_magic};
    }
    return msgpack::decode<Hello>(payload.subspan(hello_magic.size()));
}

template <class Hello>
void write_any_hello(Buffer& out, const Hello& hello) {
    const auto begin = begin_frame(out);
    out.append(as_bytes(hello_magic));
    msgpack::encode_to(out, hello);
    finish_frame(out, begin);
}

}  // namespace

Result<ClientHello> parse_client_hello(BytesView payload) { return parse_hello<ClientHello>(payload); }
Result<ServerHello> parse_server_hello(BytesView payload) { return parse_hello<ServerHello>(payload); }
void write_hello(Buffer& out, const ClientHello& hello) { write_any_hello(out, hello); }
void write_hello(Buffer& out, const ServerHello& hello) { write_any_hello(out, hello); }

Binary session_proof(BytesView key, BytesView nonce, const Enter& enter) {
    Buffer text;
    text.append(nonce);
    for (const auto number : {static_cast<std::uint64_t>(enter.player), enter.session, enter.received, enter.answered})
        for (unsigned shift = 0; shift < 64; shift += 8) text.push_back(static_cast<std::uint8_t>(number >> shift));
    const auto tag = hmac_sha256(key, text);
    return {tag.begin(), tag.end()};
}

std::string_view foreign_protocol(BytesView first_bytes) {
    const auto text = as_text(first_bytes);
    static constexpr std::array<std::string_view, 7> methods{"GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PRI "};
    if (std::any_of(methods.begin(), methods.end(), [&](auto method) { return text.starts_with(method); }))
        return "HTTP";
    if (text.starts_with("SSH-")) return "SSH";
    // The third byte tells a TLS record (version 3.1 and up) from the length of a frame of 790 bytes.
    if (first_bytes.size() >= 3 && first_bytes[0] == 0x16 && first_bytes[1] == 0x03 && first_bytes[2] != 0)
        return "TLS";
    return {};
}

}  // namespace gs::wire
