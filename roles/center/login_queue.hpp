#pragma once
// Logins that wait until others have left. Each center lets in its share of `center.online_max`, first come, first
// served; who resumes a session or takes over a connection does not wait, even if that makes a few too many: after the
// loss of a game server its players come back beside those who got their places.
// Owner: the center. Loop: its own. Bounds: center.queue_max; more are refused busy.
#include <deque>
#include <map>

#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::center {

class LoginQueue {
public:
    LoginQueue(const Settings& section, cluster::RoleBus bus, runtime::Loop& loop, Metrics& metrics);

    /// How many players count now. Called before each decision.
    void set_playing(std::size_t playing) { playing_ = playing; }
    /// Whether that ticket was let in: its place was kept until now.
    [[nodiscard]] bool redeem(std::uint64_t ticket);
    /// The ticket of a login that has to wait; 0: it may go on. Errors: throws busy: too many wait.
    [[nodiscard]] std::uint64_t enter(PlayerId player, RoleAddress gateway);
    void leave(std::uint64_t ticket, RoleAddress gateway);
    void forget(RoleAddress gateway);
    /// Lets in as many as there are places; tells gateways how far it is.
    void move();

private:
    struct Waiting {
        PlayerId player{};
        RoleAddress gateway;
    };
    [[nodiscard]] std::size_t places() const;
    void erase(std::map<std::uint64_t, Waiting>::iterator place);
    void tell();

    cluster::RoleBus bus_;
    runtime::Loop& loop_;
    std::size_t online_max_, queue_max_, playing_ = 0;
    std::map<std::uint64_t, Waiting> waiting_;  // by ticket
    std::map<PlayerId, std::uint64_t> ticket_of_;
    struct Admission {
        runtime::Time until;  ///< its place is kept
        RoleAddress gateway;
    };
    std::map<std::uint64_t, Admission> admitted_;
    std::deque<runtime::Time> let_in_;  // in the last minute
    std::uint64_t last_ticket_ = 0, told_first_ = 0;
    runtime::Time told_at_{};
    Gauge& queued_;
};

}  // namespace gs::center
