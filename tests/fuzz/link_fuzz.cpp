// What strangers send to the port of links, and to a node that dials, before either knows the other. The first byte
// says which. The keys of this file are known, so an input may even be right.
#include "base/crypto/crypto.hpp"
#include "cluster/link_handshake.hpp"
#include "tests/fuzz/require.hpp"
#include "wire/frame.hpp"

using namespace gs;
using cluster::LinkHandshake;
using cluster::LinkSecurity;
using fuzz::require;
using wire::noise::Side;

namespace {

constexpr std::int64_t now = 1'900'000'000;
constexpr std::size_t frame_bytes_max = 4096;

Secret secret(std::uint8_t byte) {
    Secret made;
    made.bytes().fill(byte);
    return made;
}

std::shared_ptr<const LinkSecurity> security(const std::string& node) {
    crypto_init().value();
    std::array<std::uint8_t, 32> seed{};
    seed.fill(1);
    const auto root = SigningKey::from_seed(seed);
    const auto key = ExchangeKey::from_secret(secret(static_cast<std::uint8_t>(node.front())));
    Certificate certificate;
    certificate.kind = CertificateKind::node;
    certificate.name = node;
    certificate.roles = {"game"};
    certificate.zone = "default";
    certificate.static_key = {key.public_key().begin(), key.public_key().end()};
    certificate.not_before = now - 60;
    certificate.not_after = now + 3600;
    return std::make_shared<const LinkSecurity>(
        LinkSecurity{secret(9), {{root.public_key()}, "default"}, {key, sign_certificate(root, certificate)}});
}

/// Takes the frames as a link does. True: it is finished.
bool run(LinkHandshake& handshake, BytesView bytes, std::size_t frames_max) {
    std::size_t answered = 0;
    while (!handshake.finished()) {
        const auto cut = wire::cut_frame(bytes, frame_bytes_max);
        if (cut.status != wire::FrameCut::Status::frame) return false;
        bytes = bytes.subspan(cut.consumed());
        Buffer out;
        const auto taken = handshake.take(cut.payload, now, out);
        if (!taken) fuzz::require_printable(taken.error().message());
        const auto answer = wire::cut_frame(out, frame_bytes_max);
        require(out.empty() || (answer.status == wire::FrameCut::Status::frame && answer.consumed() == out.size()),
                "an answer is one whole frame");
        // A listener of another protocol says which one it speaks, and no more than that.
        require(taken.has_value() || out.size() <= 10, "who is refused is told nothing");
        if (!taken) return false;
        require(++answered <= frames_max, "a handshake ends");
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto of_a = security("a");
    static const auto of_b = security("b");
    if (size == 0) return 0;
    const BytesView bytes{data + 1, size - 1};
    const bool dials = data[0] % 2 == 1;
    LinkHandshake handshake{dials ? Side::initiator : Side::responder,
                            {4, "test"},
                            dials ? of_a : of_b,
                            dials ? "b" : "",
                            ExchangeKey::from_secret(secret(dials ? 4 : 5))};
    Buffer first;
    if (dials) handshake.begin(first);
    require(!handshake.likely().empty(), "there is a likely cause");
    if (!run(handshake, bytes, 2)) return 0;
    const auto peer = handshake.finish();
    require(peer.certificate.has_value() && peer.certificate->name == (dials ? "b" : "a"),
            "only who has the key of a certificate is accepted");
    return 0;
}
