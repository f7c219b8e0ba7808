#include "roles/center/login_queue.hpp"

namespace gs::center {

namespace {
constexpr auto place_kept = std::chrono::seconds{30};
constexpr auto tell_period = std::chrono::seconds{2};
constexpr auto rate_window = std::chrono::minutes{1};
constexpr std::size_t least_per_second = 10;
}  // namespace

LoginQueue::LoginQueue(const Settings& section, cluster::RoleBus bus, runtime::Loop& loop, Metrics& metrics)
    : bus_{bus},
      loop_{loop},
      online_max_{static_cast<std::size_t>(
          section.integer("online_max", 0, {0, 100'000'000}, "players",
                          "in the whole cluster; more wait in a queue until others leave; 0: no limit"))},
      queue_max_{static_cast<std::size_t>(section.integer("queue_max", 10'000, {0, 10'000'000}, "logins",
                                                          "how many may wait at one center; more are refused busy"))},
      cpu_max_{static_cast<std::uint32_t>(section.integer(
          "cpu_max", 0, {0, 100}, "percent",
          "logins wait while a gateway or game is busier than this, of all that its loops can do; 0: no limit"))},
      queued_{metrics.gauge("gameserver_login_queue", "logins that wait for a place, at this center")} {
    for (const auto& text : section.texts("operators", {}, "numbers of players who never wait in the queue")) {
        const auto player = session::player_number(text);
        if (!player) section.reject("operators", "\"" + text + "\" is not the number of a player, such as \"51\"");
        if (player) operators_.insert(*player);
    }
}

void LoginQueue::set_cpu(std::uint32_t busiest) {
    // What a login costs shows a second later, so they come in by and by.
    const auto slowly = std::max<std::size_t>(least_per_second, playing_ / 10);
    this_second_ = cpu_max_ == 0 ? std::numeric_limits<std::size_t>::max() : busiest > cpu_max_ ? 0 : slowly;
}

/// Those who were let in and are on their way have theirs.
std::size_t LoginQueue::places() const {
    if (online_max_ == 0) return this_second_;
    const auto centers = std::max<std::size_t>(1, bus_.bus().group().shards.count(Role::center));
    const auto share = std::max<std::size_t>(1, online_max_ / centers);
    const auto taken = playing_ + admitted_.size();
    const auto free = taken < share ? share - taken : 0;
    return cpu_max_ == 0 ? free : std::min(free, this_second_);
}

bool LoginQueue::redeem(std::uint64_t ticket) {
    if (admitted_.erase(ticket) == 0) return false;
    let_in_.push_back(loop_.now());
    return true;
}

std::uint64_t LoginQueue::enter(PlayerId player, RoleAddress gateway) {
    if (is_off()) return 0;
    if (const auto known = ticket_of_.find(player); known != ticket_of_.end()) {
        waiting_[known->second].gateway = gateway;  // its newer connection keeps the place
        told_at_ = {};
        return known->second;
    }
    if (waiting_.empty() && places() > 0) {
        take_place();
        let_in_.push_back(loop_.now());
        return 0;
    }
    if (waiting_.size() >= queue_max_)
        throw Error{Code::busy, "the server is full, and {} wait already; try again later", waiting_.size()};
    waiting_[++last_ticket_] = {player, gateway};
    ticket_of_[player] = last_ticket_;
    told_at_ = {};  // the new one hears where it stands
    return last_ticket_;
}

void LoginQueue::take_place() {
    if (cpu_max_ != 0) --this_second_;
}

void LoginQueue::erase(std::map<std::uint64_t, Waiting>::iterator place) {
    ticket_of_.erase(place->second.player);
    waiting_.erase(place);
}

void LoginQueue::leave(std::uint64_t ticket, RoleAddress gateway) {
    const auto place = waiting_.find(ticket);
    if (place != waiting_.end() && place->second.gateway == gateway) erase(place);
    const auto admitted = admitted_.find(ticket);
    if (admitted != admitted_.end() && admitted->second.gateway == gateway) admitted_.erase(admitted);
}

void LoginQueue::forget(RoleAddress gateway) {
    for (auto place = waiting_.begin(); place != waiting_.end();) {
        const auto one = place++;
        if (one->second.gateway == gateway) erase(one);
    }
}

void LoginQueue::move() {
    if (is_off()) return;
    const auto now = loop_.now();
    std::erase_if(admitted_, [&](const auto& one) { return one.second.until <= now; });
    while (!let_in_.empty() && let_in_.front() + rate_window <= now) let_in_.pop_front();
    while (!waiting_.empty() && places() > 0) {
        const auto first = waiting_.begin();
        session::Admitted note;
        note.ticket = first->first;
        take_place();
        admitted_[first->first] = {now + place_kept, first->second.gateway};
        bus_.send(first->second.gateway, note);
        erase(first);
    }
    queued_.set(static_cast<std::int64_t>(waiting_.size()));
    const auto first = waiting_.empty() ? last_ticket_ + 1 : waiting_.begin()->first;
    const bool due = !waiting_.empty() && (told_at_ == runtime::Time{} || told_at_ + tell_period <= now);
    if (first == told_first_ && !due) return;
    told_first_ = first;
    told_at_ = now;
    tell();
}

void LoginQueue::tell() {
    session::QueueMoved note;
    note.first = told_first_;
    note.waiting = static_cast<std::uint32_t>(waiting_.size());
    note.per_minute = static_cast<std::uint32_t>(let_in_.size());
    bus_.publish(Role::gateway, note);
}

}  // namespace gs::center
