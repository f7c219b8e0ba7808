#pragma once
// How a link between two nodes becomes encrypted and each sure of the other, sans I/O: three frames, in which a
// handshake of Noise_XXpsk3_25519_ChaChaPoly_SHA256 is made.
//   dialler   "GSN1", the link protocol (2 bytes, little-endian), the first handshake message
//   listener  the same, with the second message, in which its certificate is
//   dialler   the third message, in which its certificate is
// Records follow (wire/noise/record.hpp); the first ones hold the LinkHello of each side, as they are on a plain link,
// so that a stranger without the cluster key sees none. The prologue is the magic, the link protocol and the name of
// the cluster. A listener of another link protocol answers with magic and number alone.
// Owner: one link, until it is finished. Errors: in words for the logs of operators; the other side is not told them.
#include <memory>

#include "base/crypto/own_identity.hpp"
#include "wire/noise/handshake.hpp"
#include "wire/noise/secure_hello.hpp"

namespace gs::cluster {

inline constexpr std::string_view plain_link_magic = "GSL1", secure_link_magic = "GSN1";

/// What a node needs to encrypt its links. It does not change; a renewed certificate makes another one.
struct LinkSecurity {
    Secret cluster_key;
    Trust trust;
    Identity own;
};

/// What both sides must have the same.
struct LinkPrologue {
    std::uint16_t protocol = 0;
    std::string cluster;
};

class LinkHandshake {
public:
    /// `expected`: the node that was dialled; empty for the side that listens. `ephemeral` is for tests only.
    LinkHandshake(wire::noise::Side side, LinkPrologue prologue, std::shared_ptr<const LinkSecurity> security,
                  std::string expected = {}, std::optional<ExchangeKey> ephemeral = {});

    /// Appends the first frame. Of the side that dials.
    void begin(Buffer& out);
    /// Takes the payload of the frame that came and appends the one that answers it. `now` in seconds since 1970.
    /// After an error nothing but what was appended is to be sent.
    [[nodiscard]] Result<void> take(BytesView payload, std::int64_t now, Buffer& out);
    [[nodiscard]] bool finished() const { return handshake_.finished(); }
    /// The other side speaks to it as on a link without encryption.
    [[nodiscard]] bool met_plain() const { return met_plain_; }
    /// What is probably wrong when the other side closes the connection now.
    [[nodiscard]] std::string_view likely() const;

    struct Peer {
        wire::noise::Records records;
        /// An error of one who has the cluster key and no good certificate: it can be told, over the records.
        Result<Certificate> certificate;
    };
    /// Call it once, when finished.
    [[nodiscard]] Peer finish();

private:
    [[nodiscard]] Result<BytesView> behind_header(BytesView payload, Buffer& out);
    [[nodiscard]] Result<void> write_message(Buffer& out, bool has_header, BytesView message_payload);
    [[nodiscard]] Result<void> take_first(BytesView payload, Buffer& out);
    [[nodiscard]] Result<void> take_second(BytesView payload, std::int64_t now, Buffer& out);
    [[nodiscard]] Result<void> take_third(BytesView payload, std::int64_t now);
    [[nodiscard]] Result<Certificate> verify(const Binary& shown, std::int64_t now) const;

    wire::noise::Side side_;
    LinkPrologue prologue_;
    std::shared_ptr<const LinkSecurity> security_;
    std::string expected_;
    wire::noise::Handshake handshake_;
    std::optional<Result<Certificate>> certificate_;
    bool took_first_ = false, met_plain_ = false;
};

}  // namespace gs::cluster
