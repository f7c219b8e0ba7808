#pragma once
// How the hellos of client and gateway begin an encrypted connection (docs/protocol.md, Encryption), sans I/O. The
// client's hello carries the first handshake message; all else of it is the prologue, so a byte that somebody changed
// on the way breaks the handshake. What the gateway says besides its handshake message is inside of that, encrypted.
#include "base/crypto/own_identity.hpp"
#include "wire/noise/handshake.hpp"
#include "wire/noise/record.hpp"
#include "wire/system.hpp"

namespace gs::wire::noise {

inline constexpr std::string_view security_name = "noise";
/// Of the first handshake message: a public key.
inline constexpr std::size_t client_handshake_bytes = 32;

/// The payload of the second handshake message.
struct SecureHello {
    SignedCertificate certificate;
    ServerHello hello;
    FIELDS(certificate, hello)
};

/// One side's ciphers of an encrypted connection.
struct Records {
    RecordWriter writer;
    RecordReader reader;
};

/// The payload of a client's hello frame (magic and body), without the bytes that the field handshake holds.
/// Errors: invalid, it is no such payload.
[[nodiscard]] Result<Binary> prologue_of(BytesView client_hello);

/// Of the gateway: reads what the client's hello (the frame's payload) begins, and appends the frame that answers it.
/// `hello` is what the client is told inside. Errors: invalid, for the client to read.
[[nodiscard]] Result<Records> answer_secure_hello(BytesView client_hello, const Identity& identity,
                                                  const ServerHello& hello, Buffer& out,
                                                  std::optional<ExchangeKey> ephemeral = {});

class ClientHandshake {
public:
    /// Appends the frame of `hello`, with the handshake in it. `ephemeral` is for tests only.
    ClientHandshake(ClientHello hello, Buffer& out, std::optional<ExchangeKey> ephemeral = {});

    struct Finished {
        ServerHello hello;  ///< the one that counts
        Certificate certificate;
        Records records;
    };
    /// With the gateway's answer, which has the code ok. `now` in seconds since 1970.
    /// Errors: unauthenticated, what answers there is not a gateway of the zone. Call it once.
    [[nodiscard]] Result<Finished> finish(const ServerHello& answer, const Trust& trust, std::int64_t now);

private:
    std::optional<Handshake> handshake_;
};

}  // namespace gs::wire::noise
