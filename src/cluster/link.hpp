#pragma once
// One link: the connection to another node, from its handshake on. Links (links.hpp) holds all of them and tells it what
// is spoken and who may come.
// Owner: Links. Loop: its home loop.
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/link_handshake.hpp"
#include "cluster/links.hpp"

namespace gs::cluster {

inline constexpr std::size_t link_frame_bytes_max = 16U << 20U;

/// The roles of a node and their state, as they are told to another one.
struct LinkAnnouncements {
    std::vector<Announcement> roles;
    FIELDS(roles)
};

class Link final : public transport::ConnectionHandler {
public:
    Link(Links& links, std::shared_ptr<transport::Connection> connection, const PeerAddress* dialled);

    void start();
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

    void send(const Envelope& envelope);
    void send(const LinkAnnouncements& announcements);
    void send_heartbeat();

    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;
    /// Of a connection that came to nothing in time.
    void fail_late(const Error& why) { fail(with_likely_cause(why)); }
    void fail(const Error& why);

private:
    enum class FrameType : std::uint8_t;
    struct Hello;

    template <class Fill>
    void frame(FrameType type, Fill fill);
    /// Returns how many of the encrypted bytes behind the frame were taken.
    std::size_t on_handshake(BytesView payload, BytesView behind);
    [[nodiscard]] Error with_likely_cause(const Error& why) const;
    void send_hello(std::string refusal);
    void send(const Hello& hello);
    void refuse(const std::string& why);
    void on_hello(BytesView payload);
    void on_refusal(BytesView body);
    [[nodiscard]] std::string own_centers() const;
    [[nodiscard]] std::string objection(const Hello& hello) const;
    void on_frame(BytesView payload);
    void on_announcements(BytesView body);

    /// On a plain link everybody may be everything.
    [[nodiscard]] bool may_be(Role role) const;
    void accept(Certificate certificate);
    [[nodiscard]] std::string not_certified(Role role) const;

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

}  // namespace gs::cluster
