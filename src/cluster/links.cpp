#include "cluster/links.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "cluster/link.hpp"
#include "wire/message.hpp"

namespace gs::cluster {

namespace {

constexpr std::size_t body_bytes_max = link_frame_bytes_max - 64;  // less what stands before a body
constexpr auto backoff_first = std::chrono::milliseconds{50};
constexpr auto backoff_most = std::chrono::seconds{2};
constexpr std::size_t strangers_max = 256;                 // connections that are no link yet; the oldest goes
constexpr auto complain_again = std::chrono::seconds{30};  // of the same node, in the same words

}  // namespace

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
    LinkAnnouncements all;
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
    LinkAnnouncements one;
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
