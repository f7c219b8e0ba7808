#include "cluster/link_handshake.hpp"

#include <algorithm>

#include "base/msgpack.hpp"
#include "wire/frame.hpp"

namespace gs::cluster {

namespace {

using wire::noise::Pattern;
using wire::noise::RecordReader;
using wire::noise::RecordWriter;
using wire::noise::Side;

constexpr std::size_t header_bytes = secure_link_magic.size() + sizeof(std::uint16_t);

void append_header(Buffer& out, std::uint16_t protocol) {
    out.append(as_bytes(secure_link_magic));
    out.push_back(static_cast<std::uint8_t>(protocol));
    out.push_back(static_cast<std::uint8_t>(protocol >> 8U));
}

/// The name comes last, so that no two clusters have the same bytes.
Buffer bytes_of(const LinkPrologue& prologue) {
    Buffer bytes;
    append_header(bytes, prologue.protocol);
    bytes.append(as_bytes(prologue.cluster));
    return bytes;
}

}  // namespace

LinkHandshake::LinkHandshake(Side side, LinkPrologue prologue, std::shared_ptr<const LinkSecurity> security,
                             std::string expected, std::optional<ExchangeKey> ephemeral)
    : side_{side},
      prologue_{std::move(prologue)},
      security_{std::move(security)},
      expected_{std::move(expected)},
      handshake_{Pattern::xxpsk3,
                 side,
                 bytes_of(prologue_),
                 {security_->own.key, security_->cluster_key, std::move(ephemeral)}} {}

void LinkHandshake::begin(Buffer& out) {
    write_message(out, true, {}).value();  // there is nothing in it yet that could be wrong
}

Result<void> LinkHandshake::take(BytesView payload, std::int64_t now, Buffer& out) {
    if (side_ == Side::initiator) return take_second(payload, now, out);
    return std::exchange(took_first_, true) ? take_third(payload, now) : take_first(payload, out);
}

/// In the first message nothing is secret: it fails for another prologue, or bytes that are no handshake.
Result<void> LinkHandshake::take_first(BytesView payload, Buffer& out) {
    const auto message = behind_header(payload, out);
    if (!message) return message.error();
    if (!handshake_.read(*message)) {
        return Error{Code::invalid,
                     "it began a handshake that is not for this cluster; is cluster.name \"{}\" there too?",
                     prologue_.cluster};
    }
    return write_message(out, true, msgpack::encode(security_->own.certificate));
}

/// The own static key is shown to nobody who has not shown a good certificate.
Result<void> LinkHandshake::take_second(BytesView payload, std::int64_t now, Buffer& out) {
    Buffer unsaid;
    const auto message = behind_header(payload, unsaid);
    if (!message) return message.error();
    const auto shown = handshake_.read(*message);
    if (!shown) {
        return Error{Code::invalid,
                     "its answer to the handshake is not authentic: the bytes were changed on the way, or were made "
                     "for another handshake"};
    }
    auto certificate = verify(*shown, now);
    if (!certificate) return certificate.error();
    if (certificate->name != expected_) {
        return Error{Code::invalid, "it is node \"{}\", the config calls it \"{}\"", certificate->name, expected_};
    }
    certificate_ = std::move(certificate);
    return write_message(out, false, msgpack::encode(security_->own.certificate));
}

Result<void> LinkHandshake::take_third(BytesView payload, std::int64_t now) {
    const auto shown = handshake_.read(payload);
    if (!shown) {
        // Its static key comes before the cluster key is mixed in.
        return handshake_.remote_static()
                   ? Error{Code::unauthenticated,
                           "the handshake failed at the cluster key: do both have the same cluster.key?"}
                   : Error{Code::invalid, "the handshake failed: what came is not what the other side sent"};
    }
    certificate_ = verify(*shown, now);
    return {};
}

Result<Certificate> LinkHandshake::verify(const Binary& shown, std::int64_t now) const {
    const auto certificate = msgpack::decode<SignedCertificate>(shown);
    if (!certificate) return Error{Code::unauthenticated, "its certificate does not decode"};
    auto verified = verify_certificate(*certificate, security_->trust, CertificateKind::node, now);
    if (!verified) return verified;
    const auto& key = *handshake_.remote_static();
    if (!std::equal(key.begin(), key.end(), verified->static_key.begin()))
        return Error{Code::unauthenticated, "the certificate of {} is for another key than the one it uses",
                     verified->name};
    return verified;
}

LinkHandshake::Peer LinkHandshake::finish() {
    const auto ciphers = handshake_.split();
    const bool dialled = side_ == Side::initiator;
    return {{RecordWriter{dialled ? ciphers.of_initiator : ciphers.of_responder},
             RecordReader{dialled ? ciphers.of_responder : ciphers.of_initiator}},
            std::move(*certificate_)};
}

std::string_view LinkHandshake::likely() const {
    if (side_ == Side::initiator)
        return "are links.security and cluster.name the same there? The log of the other node says more";
    if (took_first_) {
        return "does it trust the root that signed the certificate of this node, and is this the node that its config "
               "names? The log of the other node says more";
    }
    return "it has said nothing";
}

// --- frames ----------------------------------------------------------------------------------------------------------

Result<BytesView> LinkHandshake::behind_header(BytesView payload, Buffer& out) {
    met_plain_ = as_text(payload).starts_with(plain_link_magic);
    if (met_plain_) {
        return Error{Code::invalid,
                     "it speaks without encryption, and here links are encrypted; set links.security alike on all "
                     "nodes"};
    }
    if (!as_text(payload).starts_with(secure_link_magic) || payload.size() < header_bytes)
        return Error{Code::invalid, "it does not speak the protocol of links; is its address right?"};
    const auto low = payload[secure_link_magic.size()];
    const auto high = payload[secure_link_magic.size() + 1];
    const auto protocol = static_cast<std::uint16_t>(low | high << 8U);
    if (protocol != prologue_.protocol) {
        const auto begin = wire::begin_frame(out);
        append_header(out, prologue_.protocol);
        wire::finish_frame(out, begin);
        return Error{Code::invalid, "link protocol {} is spoken here, {} there; run the same version",
                     prologue_.protocol, protocol};
    }
    return payload.subspan(header_bytes);
}

/// Errors: the other side's ephemeral key is one with which everybody agrees on zero.
Result<void> LinkHandshake::write_message(Buffer& out, bool has_header, BytesView message_payload) {
    const auto begin = wire::begin_frame(out);
    if (has_header) append_header(out, prologue_.protocol);
    auto written = handshake_.write(message_payload, out);
    written ? wire::finish_frame(out, begin) : out.resize_down(begin);
    return written;
}

}  // namespace gs::cluster
