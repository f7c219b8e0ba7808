#include "cluster/links.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "transport/secure/secure_connection.hpp"
#include "wire/frame.hpp"
#include "wire/message.hpp"

namespace gs::cluster {

namespace {

constexpr std::uint16_t link_protocol = 4;
constexpr std::size_t frame_bytes_max = 16U << 20U;
constexpr std::size_t body_bytes_max = frame_bytes_max - 64;  // less what stands before a body
constexpr std::size_t hello_bytes_max = 4096;
constexpr auto backoff_first = std::chrono::milliseconds{50};
constexpr auto backoff_most = std::chrono::seconds{2};
constexpr std::size_t strangers_max = 256;                 // connections that are no link yet; the oldest goes
constexpr auto complain_again = std::chrono::seconds{30};  // of the same node, in the same words

// Frame payloads start with one of these; envelopes are the rest of a frame.
enum class FrameType : std::uint8_t { envelope = 0, announcements = 1, heartbeat = 2 };

struct LinkHello {
    std::uint16_t protocol = link_protocol;
    std::string cluster, node;
    Incarnation incarnation{};
    std::string refusal;  ///< not empty: why the link is closed
    std::string centers;  ///< those that its config names
    FIELDS(protocol, cluster, node, incarnation, refusal, centers)
};

struct Announcements {
    std::vector<Announcement> roles;
    FIELDS(roles)
};

}  // namespace

class Link final : public transport::ConnectionHandler {
public:
    Link(Links& links, std::shared_ptr<transport::Connection> connection, const PeerAddress* dialled)
        : links_{links},
          connection_{std::move(connection)},
          remote_{connection_->remote()},
          began_{links.home_.now()},
          last_heard_{began_} {
        if (dialled != nullptr) dialled_ = *dialled;
    }

    void start() {
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
    void close() { connection_->close(); }

    [[nodiscard]] bool is_open() const { return open_; }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] bool is_refused() const { return refused_; }
    [[nodiscard]] Incarnation incarnation() const { return incarnation_; }
    [[nodiscard]] const std::string& node() const { return node_; }
    [[nodiscard]] const std::optional<PeerAddress>& dialled() const { return dialled_; }
    [[nodiscard]] runtime::Time began() const { return began_; }
    [[nodiscard]] runtime::Time last_heard() const { return last_heard_; }
    [[nodiscard]] std::size_t queued() const { return connection_->queued_bytes(); }
    [[nodiscard]] std::map<Role, Announcement>& roles() { return roles_; }

    void send(const Envelope& envelope) {
        frame(FrameType::envelope, [&](Buffer& out) { encode_envelope(out, envelope); });
    }
    void send(const Announcements& announcements) {
        frame(FrameType::announcements, [&](Buffer& out) { msgpack::encode_to(out, announcements); });
    }
    void send_heartbeat() {
        frame(FrameType::heartbeat, [](Buffer&) {});
    }

    std::size_t on_bytes(BytesView bytes) override {
        last_heard_ = links_.home_.now();
        std::size_t taken = 0;
        std::size_t encrypted = 0;
        while (!closing_) {
            const auto cut = wire::cut_frame(bytes.subspan(taken), open_ ? frame_bytes_max : hello_bytes_max);
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
    void on_closed(const Error& why) override {
        if (!std::exchange(closing_, true)) links_.closed(*this, with_likely_cause(why));
    }
    /// Of a connection that came to nothing in time.
    void fail_late(const Error& why) { fail(with_likely_cause(why)); }
    void fail(const Error& why) {
        if (std::exchange(closing_, true)) return;
        connection_->close_after_send();
        links_.closed(*this, why);
    }

private:
    template <class Fill>
    void frame(FrameType type, Fill fill) {
        auto& out = connection_->output();
        const auto before = out.size();
        const auto begin = wire::begin_frame(out);
        out.push_back(static_cast<std::uint8_t>(type));
        fill(out);
        wire::finish_frame(out, begin);
        links_.bytes_out_.add(out.size() - before);
    }

    /// Returns how many of the encrypted bytes behind the frame were taken.
    std::size_t on_handshake(BytesView payload, BytesView behind) {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(links_.home_.wall_now().time_since_epoch());
        const auto taken = handshake_->take(payload, now.count(), connection_->output());
        if (!taken) {
            if (handshake_->met_plain()) {
                LinkHello told;
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

    [[nodiscard]] Error with_likely_cause(const Error& why) const {
        if (open_) return why;
        if (handshake_) return {why.code(), "{} ({})", why.message(), handshake_->likely()};
        if (!certificate_ || !dialled_) return why;
        return {why.code(), "{} (do both have the same cluster.key? The log of the other node says more)",
                why.message()};
    }

    void send_hello(std::string refusal) {
        send(LinkHello{link_protocol, links_.options_.cluster, links_.group_.node, links_.group_.self,
                       std::move(refusal), own_centers()});
    }
    void send(const LinkHello& hello) {
        auto& out = connection_->output();
        const auto begin = wire::begin_frame(out);
        out.append(as_bytes(plain_link_magic));
        msgpack::encode_to(out, hello);
        wire::finish_frame(out, begin);
    }

    void refuse(const std::string& why) {
        refused_ = true;
        send_hello(why);
        fail(Error{Code::forbidden, "link with {} refused: {}", node_.empty() ? remote_ : node_, why});
    }

    void on_hello(BytesView payload) {
        if (as_text(payload).starts_with(secure_link_magic)) {
            LinkHello told;
            told.refusal = "links are not encrypted there; set links.security alike on all nodes";
            send(told);
            fail({Code::invalid,
                  "{} speaks encrypted, and here links are not encrypted; set links.security alike on all nodes",
                  remote_});
            return;
        }
        if (!as_text(payload).starts_with(plain_link_magic)) {
            fail({Code::invalid, "{} does not speak the protocol of links; is its address right?",
                  connection_->remote()});
            return;
        }
        auto hello = msgpack::decode<LinkHello>(payload.subspan(plain_link_magic.size()));
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

    void on_refusal(BytesView body) {
        refused_ = true;
        const auto hello = msgpack::decode<LinkHello>(body);
        fail(
            {Code::forbidden, "node {} refuses the link: {}", node_, hello ? hello->refusal : hello.error().message()});
    }

    [[nodiscard]] std::string own_centers() const { return links_.group_.shards.names(Role::center); }

    [[nodiscard]] std::string objection(const LinkHello& hello) const {
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
        if (!known)
            return fmt::format("node \"{}\" is not in the config of node \"{}\"", hello.node, links_.group_.node);
        if (dialled_ && dialled_->node != hello.node) {
            return fmt::format("{} is node \"{}\", the config calls it \"{}\"", dialled_->address, hello.node,
                               dialled_->node);
        }
        return {};
    }

    void on_frame(BytesView payload) {
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

    void on_announcements(BytesView body) {
        const auto list = msgpack::decode<Announcements>(body);
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
        if (!std::exchange(announced_, true)) log::info("link to node {} is up", node_);
        for (const auto& role : list->roles) {
            roles_[role.role] = role;
            links_.instance({{incarnation_, role.role}, node_, role}, true);
        }
    }

    /// On a plain link everybody may be everything.
    [[nodiscard]] bool may_be(Role role) const {
        return static_cast<std::size_t>(role) < role_count && (!certificate_ || given_[static_cast<std::size_t>(role)]);
    }
    void accept(Certificate certificate) {
        for (std::size_t index = 0; index < role_count; ++index) {
            const auto name = to_string(static_cast<Role>(index));
            given_[index] =
                std::find(certificate.roles.begin(), certificate.roles.end(), name) != certificate.roles.end();
        }
        node_ = certificate.name;
        certificate_ = std::move(certificate);
    }
    [[nodiscard]] std::string not_certified(Role role) const {
        if (static_cast<std::size_t>(role) >= role_count)
            return fmt::format("it has a role of the number {}, which is none here; run the same version",
                               static_cast<unsigned>(role));
        return fmt::format("its certificate does not give node \"{}\" the role {}; certify it again with --roles",
                           node_, role);
    }

    Links& links_;
    std::shared_ptr<transport::Connection> connection_;  // the encrypted one, once there is one
    std::optional<LinkHandshake> handshake_;             // while it lasts
    std::optional<Certificate> certificate_;             // of the other side, on an encrypted link
    std::array<bool, role_count> given_{};               // the roles in it
    std::string remote_;
    std::optional<PeerAddress> dialled_;
    std::string node_;
    Incarnation incarnation_{};
    std::map<Role, Announcement> roles_;
    runtime::Time began_, last_heard_;
    bool open_ = false, closing_ = false, refused_ = false, announced_ = false;
};

Links::Links(BusGroup& group, runtime::Loop& home, transport::Transport& transport, LinkOptions options,
             Metrics& metrics)
    : group_{group},
      home_{home},
      transport_{transport},
      options_{std::move(options)},
      timers_{home},
      connected_{metrics.gauge("gameserver_links_connected", "links to other nodes that are up")},
      queued_{metrics.gauge("gameserver_link_queued_bytes", "bytes that wait for the network to other nodes")},
      bytes_in_{metrics.counter("gameserver_link_bytes_in_total", "bytes received from other nodes")},
      bytes_out_{metrics.counter("gameserver_link_bytes_out_total", "bytes sent to other nodes")},
      refused_{metrics.counter("gameserver_link_refused_total", "messages refused because a link's queue was full")},
      complained_{metrics.counter("gameserver_link_complaints_total",
                                  "log lines about links that do not come up; what is tried again is said twice a "
                                  "minute")} {
    group_.carrier = this;
}

Links::~Links() {
    stop();
    group_.carrier = nullptr;
}

Result<void> Links::start() {
    if (options_.listen.empty()) return {};
    if (options_.encrypted && security_ == nullptr)
        return Error{Code::internal, "the links of node {} are to be encrypted and have no key", group_.node};
    auto listener = transport_.listen(
        home_, options_.listen, {},
        [this](std::shared_ptr<transport::Connection> connection) { adopt(std::move(connection), nullptr); });
    if (!listener)
        return Error{listener.error().code(), "the link listener of node {}: {}", group_.node,
                     listener.error().message()};
    listener_ = std::move(*listener);
    for (const auto& peer : options_.peers) {
        if (group_.node < peer.node) dial(peer, 0);
    }
    timers_.every("beat", options_.heartbeat, [this] { beat(); });
    return {};
}

void Links::stop() {
    if (std::exchange(stopping_, true)) return;
    timers_.cancel_all();
    listener_.reset();
    for (auto& link : links_) link->close();
    by_node_.clear();
    links_.clear();
}

void Links::dial(const PeerAddress& peer, int failures) {
    transport_.connect(
        home_, peer.address, options_.timeout,
        [this, here = std::weak_ptr{here_}, peer, failures](Result<std::shared_ptr<transport::Connection>> got) {
            if (here.expired() || stopping_) return;
            if (!got) {
                if (failures == 5)
                    log::warn("node {} is not reachable: {} (trying on)", peer.node, got.error().message());
                retry(peer, failures + 1);
                return;
            }
            adopt(std::move(*got), &peer);
        });
}

void Links::retry(const PeerAddress& peer, int failures) {
    const auto most = std::min<runtime::Duration>(backoff_most, backoff_first * (1U << std::min(failures, 8)));
    const auto wait =
        runtime::Duration{std::uniform_int_distribution<std::int64_t>{most.count() / 4, most.count()}(home_.random())};
    timers_.after("dial", wait, [this, peer, failures] { dial(peer, failures); });
}

void Links::adopt(std::shared_ptr<transport::Connection> connection, const PeerAddress* dialled) {
    if (dialled == nullptr && links_.size() - by_node_.size() >= strangers_max) {
        // The one that came first goes: a node needs its place for moments only.
        const auto oldest = std::find_if(links_.begin(), links_.end(),
                                         [](const auto& link) { return !link->is_open() && !link->dialled(); });
        if (oldest != links_.end()) (*oldest)->fail({Code::limited, "{} connections are no links yet", strangers_max});
    }
    auto link = std::make_unique<Link>(*this, std::move(connection), dialled);
    auto* at = link.get();
    links_.push_back(std::move(link));
    at->start();
}

void Links::opened(Link& link) {
    // A restarted node comes back before its old link timed out: the older run is over.
    std::vector<Link*> older;
    for (const auto& [incarnation, other] : by_node_) {
        if (other != &link && other->node() == link.node()) older.push_back(other);
    }
    for (auto* other : older) other->fail({Code::unavailable, "node {} has a newer link", link.node()});
    by_node_[link.incarnation()] = &link;
    connected_.set(static_cast<std::int64_t>(by_node_.size()));
    Announcements all;
    for (const auto& [role, announcement] : announced_) all.roles.push_back(announcement);
    link.send(all);
}

/// Empty: no other process that is alive has the name. One that has ended is known by its closed connection, one whose
/// host is lost by its silence; the same process may come over a new connection while this side still has the old one.
std::string Links::objection_of_namesake(const Link& link, const std::string& node, Incarnation incarnation) const {
    for (const auto& [other, older] : by_node_) {
        if (older == &link || older->node() != node || other == incarnation) continue;
        if (home_.now() - older->last_heard() > 2 * options_.heartbeat) continue;
        return fmt::format(
            "another process also calls itself \"{}\" (incarnation {}, connected to \"{}\"); stop one of the two, or "
            "give it a name of its own",
            node, other, group_.node);
    }
    return {};
}

/// Messages find their way by it: nobody may have that of another node, or of this one.
std::string Links::objection_to_incarnation(const std::string& node, Incarnation incarnation) const {
    const auto known = by_node_.find(incarnation);
    const bool is_another = known != by_node_.end() && known->second->node() != node;
    if (incarnation != Incarnation{} && incarnation != group_.self && !is_another) return {};
    return fmt::format("its incarnation {} is {}", incarnation,
                       is_another                   ? fmt::format("that of node \"{}\"", known->second->node())
                       : incarnation == group_.self ? fmt::format("that of node \"{}\"", group_.node)
                                                    : std::string{"none"});
}

/// What is tried again every second or two is said once in a while.
void Links::complain(const std::string& name, const std::string& remote, const Error& why) {
    const bool is_known = std::any_of(options_.peers.begin(), options_.peers.end(),
                                      [&](const PeerAddress& peer) { return peer.node == name; });
    // All strangers are one, so that they cannot fill the log.
    auto& last = complaints_[is_known ? name : std::string{}];
    const bool is_news = is_known && last.what != why.message();
    if (!is_news && last.at && home_.now() - *last.at < complain_again) return;
    last = {why.message(), home_.now()};
    complained_.add();
    log::warn("no link with {}: {}", remote, why.message());
}

void Links::closed(Link& link, const Error& why) {
    if (stopping_) return;
    const auto& name = link.dialled() ? link.dialled()->node : link.node();
    if (link.is_open()) {
        if (link.is_refused()) {
            complain(name, link.remote(), why);
        } else {
            log::warn("link to node {} is down: {}", link.node(), why.message());
        }
        const auto known = by_node_.find(link.incarnation());
        if (known != by_node_.end() && known->second == &link) {
            by_node_.erase(known);
            for (const auto& [role, announcement] : link.roles()) {
                instance({{link.incarnation(), role}, link.node(), announcement}, false);
            }
        }
        connected_.set(static_cast<std::int64_t>(by_node_.size()));
    } else {
        complain(name, link.remote(), why);
    }
    if (link.dialled()) retry(*link.dialled(), link.is_open() && !link.is_refused() ? 0 : 6);
    // The link may be further up the stack.
    const auto place =
        std::find_if(links_.begin(), links_.end(), [&](const auto& candidate) { return candidate.get() == &link; });
    if (place == links_.end()) return;
    home_.post([owned = std::move(*place)] {});
    links_.erase(place);
}

void Links::instance(const Instance& instance, bool up) {
    for (auto* bus : group_.buses) {
        if (bus == group_.buses.front()) {
            bus->instance_changed(instance, up);
        } else {
            bus->loop().post([bus, instance, up] { bus->instance_changed(instance, up); });
        }
    }
}

bool Links::carry(const Envelope& envelope) {
    const auto known = by_node_.find(envelope.to.node);
    if (known == by_node_.end()) return false;
    if (envelope.body.size() > body_bytes_max) return refuse_too_long(*known->second, envelope);
    // Answers are let through: refusing them would leave a caller without one.
    const bool bounded = envelope.kind == Envelope::Kind::call || envelope.kind == Envelope::Kind::note;
    if (bounded && known->second->queued() > options_.queue_bytes_max) {
        refused_.add();
        return false;
    }
    known->second->send(envelope);
    return true;
}

/// The other side would end the link. Whoever waits for an answer gets this one; a note is not taken.
bool Links::refuse_too_long(Link& link, const Envelope& envelope) {
    const Error error{Code::invalid, "a message of {} bytes is too long for a link between nodes (at most {})",
                      envelope.body.size(), body_bytes_max};
    log::error("{} did not get command {}: {}", envelope.to, envelope.command, error.message());
    refused_.add();
    if (envelope.kind == Envelope::Kind::call) {
        group_.buses.front()->reply_error(envelope, error);
        return true;
    }
    if (envelope.kind != Envelope::Kind::reply) return false;
    Buffer body;
    msgpack::encode_to(body, wire::ErrorBody{error.code(), error.message()});
    auto answer = envelope;
    answer.kind = Envelope::Kind::error;
    answer.body = body;
    link.send(answer);
    return true;
}

void Links::announce(const Announcement& announcement) {
    announced_[announcement.role] = announcement;
    Announcements one;
    one.roles.push_back(announcement);
    for (const auto& [node, link] : by_node_) link->send(one);
}

void Links::beat() {
    std::vector<Link*> silent;
    std::vector<Link*> late;
    std::size_t queued = 0;
    for (auto& link : links_) {
        queued += link->queued();
        if (home_.now() - link->last_heard() > options_.timeout) {
            silent.push_back(link.get());
        } else if (!link->is_open() && home_.now() - link->began() > options_.timeout) {
            late.push_back(link.get());  // a byte now and then does not keep a place
        } else if (link->is_open()) {
            link->send_heartbeat();
        }
    }
    queued_.set(static_cast<std::int64_t>(queued));
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(options_.timeout).count();
    for (auto* link : silent) link->fail_late({Code::deadline, "nothing was heard from it for {} ms", limit});
    for (auto* link : late) link->fail_late({Code::deadline, "it did not introduce itself within {} ms", limit});
}

}  // namespace gs::cluster
