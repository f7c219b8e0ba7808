#pragma once
// Logins that wait until others have left, or until the processors have less to do. Each center lets in its share of
// `center.online_max`, first come, first served, and above `center.cpu_max` nobody; who resumes a session or takes over
// a connection does not wait, even if that makes a few too many: after the loss of a game server its players come back
// beside those who got their places.
// Owner: the center. Loop: its own. Bounds: center.queue_max; more are refused busy.
#include <deque>
#include <limits>
#include <map>
#include <set>

#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::center {

class LoginQueue {
public:
    LoginQueue(const Settings& section, cluster::RoleBus bus, runtime::Loop& loop, Metrics& metrics);

    /// How many players count now. Called before each decision.
    void set_playing(std::size_t playing) { playing_ = playing; }
    /// Of the busiest gateway or game, percent. Called once a second.
    void set_cpu(std::uint32_t busiest);
    /// An operator, who must come in when nobody else does.
    [[nodiscard]] bool never_waits(PlayerId player) const { return operators_.contains(player); }
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
    [[nodiscard]] bool is_off() const { return online_max_ == 0 && cpu_max_ == 0; }
    [[nodiscard]] std::size_t places() const;
    void erase(std::map<std::uint64_t, Waiting>::iterator place);
    void take_place();
    void tell();

    cluster::RoleBus bus_;
    runtime::Loop& loop_;
    std::size_t online_max_, queue_max_, playing_ = 0;
    std::uint32_t cpu_max_;
    std::size_t this_second_ = 0;  // that may be let in for the processors' sake
    std::set<PlayerId> operators_;
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
