#include "cluster/links.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "wire/frame.hpp"
#include "wire/message.hpp"

namespace gs::cluster {

namespace {

constexpr std::string_view link_magic = "GSL1";
constexpr std::uint16_t link_protocol = 4;
constexpr std::size_t frame_bytes_max = 16U << 20U;
constexpr std::size_t body_bytes_max = frame_bytes_max - 64;  // less what stands before a body
constexpr std::size_t hello_bytes_max = 4096;
constexpr auto backoff_first = std::chrono::milliseconds{50};
constexpr auto backoff_most = std::chrono::seconds{2};
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
          last_heard_{links.home_.now()} {
        if (dialled != nullptr) dialled_ = *dialled;
    }

    void start() {
        connection_->start(*this);
        send_hello({});
    }
    void close() { connection_->close(); }

    [[nodiscard]] bool is_open() const { return open_; }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] bool is_refused() const { return refused_; }
    [[nodiscard]] Incarnation incarnation() const { return incarnation_; }
    [[nodiscard]] const std::string& node() const { return node_; }
    [[nodiscard]] const std::optional<PeerAddress>& dialled() const { return dialled_; }
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
        links_.bytes_in_.add(bytes.size());
        last_heard_ = links_.home_.now();
        std::size_t taken = 0;
        while (!closing_) {
            const auto cut = wire::cut_frame(bytes.subspan(taken), open_ ? frame_bytes_max : hello_bytes_max);
            if (cut.status == wire::FrameCut::Status::incomplete) break;
            if (cut.status == wire::FrameCut::Status::too_long) {
                fail({Code::invalid, "a frame of {} bytes came on a link; is this the port for links?", cut.length});
                break;
            }
            taken += cut.consumed();
            if (open_) {
                on_frame(cut.payload);
            } else {
                on_hello(cut.payload);
            }
        }
        return taken;
    }
    void on_closed(const Error& why) override {
        if (!std::exchange(closing_, true)) links_.closed(*this, why);
    }
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

    void send_hello(std::string refusal) {
        auto& out = connection_->output();
        const auto begin = wire::begin_frame(out);
        out.append(as_bytes(link_magic));
        msgpack::encode_to(out, LinkHello{link_protocol, links_.options_.cluster, links_.group_.node,
                                          links_.group_.self, std::move(refusal), own_centers()});
        wire::finish_frame(out, begin);
    }

    void on_hello(BytesView payload) {
        if (!as_text(payload).starts_with(link_magic)) {
            fail({Code::invalid, "{} does not speak the protocol of links; is its address right?",
                  connection_->remote()});
            return;
        }
        auto hello = msgpack::decode<LinkHello>(payload.subspan(link_magic.size()));
        if (!hello) {
            fail(hello.error());
            return;
        }
        if (!hello->refusal.empty()) {
            fail(Error{Code::forbidden, "node {} refuses the link: {}", hello->node, hello->refusal});
            return;
        }
        auto refusal = objection(*hello);
        if (refusal.empty()) refusal = links_.objection_of_namesake(*this, hello->node, hello->incarnation);
        if (!refusal.empty()) {
            node_ = hello->node;
            send_hello(refusal);
            fail(Error{Code::forbidden, "link with {} refused: {}", hello->node, refusal});
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
        if (as_text(payload).starts_with(link_magic)) {  // its objection to our hello
            on_refusal(payload.subspan(link_magic.size()));
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
        // It has accepted our hello as well.
        if (!std::exchange(announced_, true)) log::info("link to node {} is up", node_);
        for (const auto& role : list->roles) {
            roles_[role.role] = role;
            links_.instance({{incarnation_, role.role}, node_, role}, true);
        }
    }

    Links& links_;
    std::shared_ptr<transport::Connection> connection_;
    std::string remote_;
    std::optional<PeerAddress> dialled_;
    std::string node_;
    Incarnation incarnation_{};
    std::map<Role, Announcement> roles_;
    runtime::Time last_heard_;
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

/// What is tried again every second or two is said once in a while.
void Links::complain(const Link& link, const Error& why) {
    const auto& name = link.dialled() ? link.dialled()->node : link.node();
    const bool is_known = std::any_of(options_.peers.begin(), options_.peers.end(),
                                      [&](const PeerAddress& peer) { return peer.node == name; });
    // All strangers are one, so that they cannot fill the log.
    auto& last = complaints_[is_known ? name : std::string{}];
    const bool is_news = is_known && last.what != why.message();
    if (!is_news && last.at && home_.now() - *last.at < complain_again) return;
    last = {why.message(), home_.now()};
    complained_.add();
    log::warn("no link with {}: {}", link.remote(), why.message());
}

void Links::closed(Link& link, const Error& why) {
    if (stopping_) return;
    if (link.is_open()) {
        if (link.is_refused()) {
            complain(link, why);
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
        complain(link, why);
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
    std::size_t queued = 0;
    for (auto& link : links_) {
        queued += link->queued();
        if (home_.now() - link->last_heard() > options_.timeout) {
            silent.push_back(link.get());
        } else if (link->is_open()) {
            link->send_heartbeat();
        }
    }
    queued_.set(static_cast<std::int64_t>(queued));
    for (auto* link : silent) {
        link->fail({Code::deadline, "nothing was heard from it for {} ms",
                    std::chrono::duration_cast<std::chrono::milliseconds>(options_.timeout).count()});
    }
}

}  // namespace gs::cluster
