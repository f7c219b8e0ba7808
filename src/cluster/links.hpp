#pragma once
// Links between nodes: one multiplexed connection for each pair, kept up by the node whose name sorts first, with
// backoff and jitter; nodes may start in any order. A link carries announcements, heartbeats and envelopes. It is
// encrypted when the options say so (link_handshake.hpp); then a node is what its certificate says.
// Loop: home (the first one).
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/metrics.hpp"
#include "cluster/bus.hpp"
#include "cluster/link_handshake.hpp"
#include "transport/transport.hpp"

namespace gs::cluster {

struct PeerAddress {
    std::string node;
    std::string address;  ///< host:port of its links
};

struct LinkOptions {
    std::string cluster;             ///< nodes of another cluster are refused
    std::string listen;              ///< empty: a single node, no links
    std::vector<PeerAddress> peers;  ///< the other nodes, by discovery
    bool encrypted = false;          ///< secure() is called before start(), then
    runtime::Duration heartbeat = std::chrono::seconds{1};
    runtime::Duration timeout = std::chrono::seconds{5};
    std::size_t queue_bytes_max = 8U << 20U;  ///< then messages are refused: calls end with an error at once
};

class Link;

class Links final : public Carrier {
public:
    Links(BusGroup& group, runtime::Loop& home, transport::Transport& transport, LinkOptions options, Metrics& metrics);
    ~Links();

    /// What encrypted links show and accept, from the next handshake on. Call it before the loop runs, or on it.
    void secure(std::shared_ptr<const LinkSecurity> security) { security_ = std::move(security); }
    Result<void> start();
    void stop();
    [[nodiscard]] std::string address() const { return listener_ ? listener_->address() : std::string{}; }
    [[nodiscard]] std::size_t connected() const { return by_node_.size(); }

    bool carry(const Envelope& envelope) override;
    void announce(const Announcement& announcement) override;

private:
    friend class Link;

    void dial(const PeerAddress& peer, int failures);
    void retry(const PeerAddress& peer, int failures);
    void adopt(std::shared_ptr<transport::Connection> connection, const PeerAddress* dialled);
    void opened(Link& link);
    [[nodiscard]] std::string objection_to_incarnation(const std::string& node, Incarnation incarnation) const;
    [[nodiscard]] std::string objection_of_namesake(const Link& link, const std::string& node,
                                                    Incarnation incarnation) const;
    void complain(const std::string& node, const std::string& remote, const Error& why);
    void closed(Link& link, const Error& why);
    void instance(const Instance& instance, bool up);
    bool refuse_too_long(Link& link, const Envelope& envelope);
    void beat();

    BusGroup& group_;
    runtime::Loop& home_;
    transport::Transport& transport_;
    LinkOptions options_;
    std::shared_ptr<const LinkSecurity> security_;  // none: links are plain
    std::unique_ptr<transport::Listener> listener_;
    std::vector<std::unique_ptr<Link>> links_;  // in the order of their coming
    std::map<Incarnation, Link*> by_node_;      // those whose hello was accepted
    std::map<Role, Announcement> announced_;
    struct Complaint {
        std::string what;
        std::optional<runtime::Time> at;
    };
    std::map<std::string, Complaint> complaints_;  // by node of the config
    runtime::Timers timers_;
    bool stopping_ = false;
    std::shared_ptr<bool> here_ = std::make_shared<bool>(true);  // for attempts to connect that outlive this
    Gauge& connected_;
    Gauge& queued_;
    Counter& bytes_in_;
    Counter& bytes_out_;
    Counter& refused_;
    Counter& complained_;
};

}  // namespace gs::cluster
