#include "cluster/link.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "transport/secure/secure_connection.hpp"
#include "wire/frame.hpp"

namespace gs::cluster {

namespace {
constexpr std::uint16_t link_protocol = 4;
constexpr std::size_t hello_bytes_max = 4096;
}  // namespace

// Frame payloads start with one of these; envelopes are the rest of a frame.
enum class Link::FrameType : std::uint8_t { envelope = 0, announcements = 1, heartbeat = 2 };

struct Link::Hello {
    std::uint16_t protocol = link_protocol;
    std::string cluster, node;
    Incarnation incarnation{};
    std::string refusal;  ///< not empty: why the link is closed
    std::string centers;  ///< those that its config names
    FIELDS(protocol, cluster, node, incarnation, refusal, centers)
};

template <class Fill>
void Link::frame(FrameType type, Fill fill) {
    auto& out = connection_->output();
    const auto before = out.size();
    const auto begin = wire::begin_frame(out);
    out.push_back(static_cast<std::uint8_t>(type));
    fill(out);
    wire::finish_frame(out, begin);
    links_.bytes_out_.add(out.size() - before);
}

std::string Link::own_centers() const { return links_.group_.shards.names(Role::center); }

Link::Link(Links& links, std::shared_ptr<transport::Connection> connection, const PeerAddress* dialled)
    : links_{links},
      connection_{std::move(connection)},
      remote_{connection_->remote()},
      began_{links.home_.now()},
      last_heard_{began_} {
    if (dialled != nullptr) dialled_ = *dialled;
}

void Link::start() {
    connection_->start(*this);
    if (!links_.options_.encrypted) {
        send_hello({});
        return;
    }
    using wire::noise::Side;
    handshake_.emplace(dialled_ ? Side::initiator : Side::responder,
                       LinkPrologue{link_protocol, links_.options_.cluster}, links_.security_,
                       dialled_ ? dialled_->node : std::string{});
    if (dialled_) handshake_->begin(connection_->output());
}

void Link::send(const Envelope& envelope) {
    frame(FrameType::envelope, [&](Buffer& out) { encode_envelope(out, envelope); });
}

void Link::send(const LinkAnnouncements& announcements) {
    frame(FrameType::announcements, [&](Buffer& out) { msgpack::encode_to(out, announcements); });
}

void Link::send_heartbeat() {
    frame(FrameType::heartbeat, [](Buffer&) {});
}

std::size_t Link::on_bytes(BytesView bytes) {
    last_heard_ = links_.home_.now();
    std::size_t taken = 0;
    std::size_t encrypted = 0;
    while (!closing_) {
        const auto cut = wire::cut_frame(bytes.subspan(taken), open_ ? link_frame_bytes_max : hello_bytes_max);
        if (cut.status == wire::FrameCut::Status::incomplete) break;
        if (cut.status == wire::FrameCut::Status::too_long) {
            fail({Code::invalid, "a frame of {} bytes came on a link; is this the port for links?", cut.length});
            break;
        }
        taken += cut.consumed();
        if (handshake_) {
            encrypted = on_handshake(cut.payload, bytes.subspan(taken));
            if (!handshake_) break;
        } else if (open_) {
            on_frame(cut.payload);
        } else {
            on_hello(cut.payload);
        }
    }
    links_.bytes_in_.add(taken);
    return taken + encrypted;
}

void Link::on_closed(const Error& why) {
    if (!std::exchange(closing_, true)) links_.closed(*this, with_likely_cause(why));
}

void Link::fail(const Error& why) {
    if (std::exchange(closing_, true)) return;
    connection_->close_after_send();
    links_.closed(*this, why);
}

std::size_t Link::on_handshake(BytesView payload, BytesView behind) {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(links_.home_.wall_now().time_since_epoch());
    const auto taken = handshake_->take(payload, now.count(), connection_->output());
    if (!taken) {
        if (handshake_->met_plain()) {
            Hello told;
            told.refusal = "links are encrypted there; set links.security alike on all nodes";
            send(told);
        }
        fail(taken.error());
        return 0;
    }
    if (!handshake_->finished()) return 0;
    auto peer = handshake_->finish();
    handshake_.reset();
    const auto secure = std::make_shared<transport::SecureConnection>(
        links_.home_, connection_, std::move(peer.records), wire::noise::record_plain_bytes_max);
    connection_ = secure;
    connection_->start(*this);
    if (!peer.certificate) {
        refuse(peer.certificate.error().message());
        return 0;
    }
    accept(std::move(*peer.certificate));
    send_hello({});
    return behind.empty() ? 0 : secure->on_bytes(behind);
}

Error Link::with_likely_cause(const Error& why) const {
    if (open_) return why;
    if (handshake_) return {why.code(), "{} ({})", why.message(), handshake_->likely()};
    if (!certificate_ || !dialled_) return why;
    return {why.code(), "{} (do both have the same cluster.key? The log of the other node says more)", why.message()};
}

void Link::send_hello(std::string refusal) {
    send(Hello{link_protocol, links_.options_.cluster, links_.group_.node, links_.group_.self, std::move(refusal),
               own_centers()});
}

void Link::send(const Hello& hello) {
    auto& out = connection_->output();
    const auto begin = wire::begin_frame(out);
    out.append(as_bytes(plain_link_magic));
    msgpack::encode_to(out, hello);
    wire::finish_frame(out, begin);
}

void Link::refuse(const std::string& why) {
    refused_ = true;
    send_hello(why);
    fail(Error{Code::forbidden, "link with {} refused: {}", node_.empty() ? remote_ : node_, why});
}

void Link::on_hello(BytesView payload) {
    if (as_text(payload).starts_with(secure_link_magic)) {
        Hello told;
        told.refusal = "links are not encrypted there; set links.security alike on all nodes";
        send(told);
        fail({Code::invalid,
              "{} speaks encrypted, and here links are not encrypted; set links.security alike on all nodes", remote_});
        return;
    }
    if (!as_text(payload).starts_with(plain_link_magic)) {
        fail({Code::invalid, "{} does not speak the protocol of links; is its address right?", connection_->remote()});
        return;
    }
    auto hello = msgpack::decode<Hello>(payload.subspan(plain_link_magic.size()));
    if (!hello) {
        fail(hello.error());
        return;
    }
    if (!hello->refusal.empty()) {
        fail(Error{Code::forbidden, "node {} refuses the link: {}", hello->node.empty() ? remote_ : hello->node,
                   hello->refusal});
        return;
    }
    auto refusal = objection(*hello);
    if (refusal.empty()) refusal = links_.objection_of_namesake(*this, hello->node, hello->incarnation);
    if (refusal.empty()) refusal = links_.objection_to_incarnation(hello->node, hello->incarnation);
    if (!refusal.empty()) {
        if (!certificate_) node_ = hello->node;
        refuse(refusal);
        return;
    }
    node_ = hello->node;
    incarnation_ = hello->incarnation;
    open_ = true;
    links_.opened(*this);
}

void Link::on_refusal(BytesView body) {
    refused_ = true;
    const auto hello = msgpack::decode<Hello>(body);
    fail({Code::forbidden, "node {} refuses the link: {}", node_, hello ? hello->refusal : hello.error().message()});
}

std::string Link::objection(const Hello& hello) const {
    const auto& options = links_.options_;
    if (hello.protocol != link_protocol) {
        return fmt::format("link protocol {} is spoken here, {} there; run the same version", link_protocol,
                           hello.protocol);
    }
    if (hello.cluster != options.cluster) {
        return fmt::format("this is cluster \"{}\", not \"{}\"", options.cluster, hello.cluster);
    }
    if (certificate_ && certificate_->name != hello.node) {
        return fmt::format("its certificate is for node \"{}\", and it calls itself \"{}\"", certificate_->name,
                           hello.node);
    }
    // Else two of them could keep one player.
    if (hello.centers != own_centers()) {
        return fmt::format(
            "the config of node \"{}\" names the centers ({}), that of node \"{}\" ({}): make them alike and "
            "start the node again; to change the centers of a cluster stop all of its nodes",
            hello.node, hello.centers, links_.group_.node, own_centers());
    }
    const bool known = std::any_of(options.peers.begin(), options.peers.end(),
                                   [&](const PeerAddress& peer) { return peer.node == hello.node; });
    if (!known) return fmt::format("node \"{}\" is not in the config of node \"{}\"", hello.node, links_.group_.node);
    if (dialled_ && dialled_->node != hello.node) {
        return fmt::format("{} is node \"{}\", the config calls it \"{}\"", dialled_->address, hello.node,
                           dialled_->node);
    }
    return {};
}

void Link::on_frame(BytesView payload) {
    if (payload.empty()) return;
    if (as_text(payload).starts_with(plain_link_magic)) {  // its objection to our hello
        on_refusal(payload.subspan(plain_link_magic.size()));
        return;
    }
    const auto body = payload.subspan(1);
    switch (static_cast<FrameType>(payload[0])) {
        case FrameType::heartbeat:
            return;
        case FrameType::announcements:
            on_announcements(body);
            return;
        case FrameType::envelope:
            break;
        default:
            fail({Code::invalid, "a frame of unknown type {} came from node {}", payload[0], node_});
            return;
    }
    Envelope envelope;
    if (!decode_envelope(body, envelope)) {
        fail({Code::invalid, "a message from node {} cannot be read", node_});
        return;
    }
    // An error comes in the name of whom was asked, also when that role is not there.
    if (envelope.kind != Envelope::Kind::error && !may_be(envelope.from.role)) {
        refuse(not_certified(envelope.from.role));
        return;
    }
    envelope.from.node = incarnation_;
    envelope.to.node = links_.group_.self;
    links_.group_.buses.front()->deliver(envelope);
}

void Link::on_announcements(BytesView body) {
    const auto list = msgpack::decode<LinkAnnouncements>(body);
    if (!list) {
        fail(list.error());
        return;
    }
    for (const auto& role : list->roles) {
        if (may_be(role.role)) continue;
        refuse(not_certified(role.role));
        return;
    }
    // It has accepted our hello as well.
    if (!std::exchange(announced_, true))
        log::info("link to node {} is up ({})", node_, certificate_ ? "encrypted" : "not encrypted");
    for (const auto& role : list->roles) {
        roles_[role.role] = role;
        links_.instance({{incarnation_, role.role}, node_, role}, true);
    }
}

bool Link::may_be(Role role) const {
    return static_cast<std::size_t>(role) < role_count && (!certificate_ || given_[static_cast<std::size_t>(role)]);
}

void Link::accept(Certificate certificate) {
    for (std::size_t index = 0; index < role_count; ++index) {
        const auto name = to_string(static_cast<Role>(index));
        given_[index] = std::find(certificate.roles.begin(), certificate.roles.end(), name) != certificate.roles.end();
    }
    node_ = certificate.name;
    certificate_ = std::move(certificate);
}

std::string Link::not_certified(Role role) const {
    if (static_cast<std::size_t>(role) >= role_count)
        return fmt::format("it has a role of the number {}, which is none here; run the same version",
                           static_cast<unsigned>(role));
    return fmt::format("its certificate does not give node \"{}\" the role {}; certify it again with --roles", node_,
                       role);
}

}  // namespace gs::cluster
