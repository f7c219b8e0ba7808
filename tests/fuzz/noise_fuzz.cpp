// What strangers send to begin and to go on with an encrypted connection: handshake messages, hellos, certificates,
// records. The first byte says which. The keys of this file are known, so an input may even be right.
#include "base/crypto/crypto.hpp"
#include "base/msgpack.hpp"
#include "tests/fuzz/require.hpp"
#include "wire/frame.hpp"
#include "wire/noise/secure_hello.hpp"

using namespace gs;
using namespace gs::wire::noise;
using fuzz::require;

namespace {

constexpr std::int64_t now = 1'800'000'000;

ExchangeKey exchange_key(std::uint8_t byte) {
    Secret secret;
    secret.bytes().fill(byte);
    return ExchangeKey::from_secret(secret);
}

SigningKey root() {
    std::array<std::uint8_t, 32> seed{};
    seed.fill(1);
    return SigningKey::from_seed(seed);
}

const Identity& identity() {
    static const Identity made = [] {
        crypto_init().value();
        Certificate certificate;
        certificate.name = "gateway-1";
        certificate.zone = "default";
        const auto key = exchange_key(3);
        certificate.static_key = {key.public_key().begin(), key.public_key().end()};
        certificate.not_after = now + 60;
        return Identity{key, sign_certificate(root(), certificate)};
    }();
    return made;
}

void take_client_hello(BytesView payload) {
    Buffer out;
    const auto records = answer_secure_hello(payload, identity(), {}, out, exchange_key(5));
    require(records.has_value() != out.empty(), "a hello is answered or refused");
    if (!records) fuzz::require_printable(records.error().message());
    const auto prologue = prologue_of(payload);
    if (prologue) require(prologue->size() <= payload.size(), "the prologue is a part of the hello");
}

void take_server_hello(BytesView payload) {
    const auto answer = wire::parse_server_hello(payload);
    if (!answer) return;
    Buffer out;
    ClientHandshake handshake{{}, out, exchange_key(4)};
    const auto finished = handshake.finish(*answer, {{root().public_key()}, "default"}, now);
    if (finished) require(finished->certificate.name == "gateway-1", "only the root's certificates are accepted");
}

void take_certificate(BytesView bytes) {
    const auto certificate = msgpack::decode<SignedCertificate>(bytes);
    if (!certificate) return;
    const auto verified =
        verify_certificate(*certificate, {{root().public_key()}, "default"}, CertificateKind::gateway, now);
    if (!verified) return fuzz::require_printable(verified.error().message());
    require(fuzz::same(certificate->certificate, identity().certificate.certificate),
            "only what the root signed is accepted");
}

void take_records(BytesView bytes) {
    Secret key;
    key.bytes().fill(7);
    RecordReader reader{CipherState{key}};
    RecordReader pieces{CipherState{key}};
    Buffer plain;
    Buffer plain_of_pieces;
    std::size_t taken = 0;
    auto status = RecordReader::Status::record;
    while (status == RecordReader::Status::record) {
        const auto read = reader.read(bytes.subspan(taken), plain, 4096);
        status = read.status;
        taken += read.consumed;
        require(taken <= bytes.size(), "no more is consumed than there is");
    }
    require(plain.size() <= taken, "a plaintext is shorter than its records");
    // The same, byte after byte.
    Buffer held;
    auto last = RecordReader::Status::incomplete;
    for (const auto byte : bytes) {
        held.push_back(byte);
        const auto read = pieces.read(held, plain_of_pieces, 4096);
        held.consume(read.consumed);
        last = read.status;
        if (last == RecordReader::Status::broken || last == RecordReader::Status::end) break;
    }
    require(fuzz::same(plain, plain_of_pieces), "the segmentation of the bytes changes nothing");
    require((status == RecordReader::Status::broken) == (last == RecordReader::Status::broken) ||
                last == RecordReader::Status::end,
            "what is broken is broken whatever the segmentation");
}

void take_link_handshake(BytesView bytes) {
    HandshakeKeys keys{exchange_key(3), Secret{}, exchange_key(5)};
    Handshake handshake{Pattern::xxpsk3, Side::responder, {}, keys};
    const auto first = std::min<std::size_t>(bytes.size(), 48);
    if (!handshake.read(bytes.first(first))) return;
    Buffer second;
    handshake.write({}, second).value();
    if (handshake.read(bytes.subspan(first)))
        require(handshake.remote_static().has_value(), "who finishes a handshake has shown a key");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static_cast<void>(identity());
    if (size == 0) return 0;
    const BytesView bytes{data + 1, size - 1};
    switch (data[0] % 5) {
        case 0:
            take_client_hello(bytes);
            break;
        case 1:
            take_server_hello(bytes);
            break;
        case 2:
            take_certificate(bytes);
            break;
        case 3:
            take_records(bytes);
            break;
        default:
            take_link_handshake(bytes);
    }
    return 0;
}
