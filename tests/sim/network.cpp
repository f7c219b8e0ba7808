#include "tests/sim/network.hpp"

#include <algorithm>
#include <deque>

#include "transport/out_queue.hpp"

namespace gs::sim {

using runtime::Duration;
using runtime::Time;
using namespace std::chrono_literals;

/// One end. What comes to it waits in it, so bytes on their way to a host that dies are gone with the host.
class HostConnection final : public transport::Connection,
                             public std::enable_shared_from_this<HostConnection>,
                             private runtime::EndOfTurn {
public:
    HostConnection(Network& network, runtime::Loop& loop, std::string host, std::string remote_host, std::string remote,
                   std::size_t queue_max)
        : EndOfTurn{Phase::send},
          network_{network},
          loop_{&loop},
          host_{std::move(host)},
          remote_host_{std::move(remote_host)},
          remote_{std::move(remote)},
          queue_max_{queue_max} {}
    ~HostConnection() override {
        if (loop_ != nullptr) loop_->forget(*this);
    }

    void join(const std::shared_ptr<HostConnection>& peer) { peer_ = peer; }
    [[nodiscard]] const std::string& host() const { return host_; }
    [[nodiscard]] const std::string& remote_host() const { return remote_host_; }
    [[nodiscard]] bool is_open() const { return open_; }
    [[nodiscard]] bool is_peer_of(const HostConnection& other) const { return other.peer_.lock().get() == this; }

    void start(transport::ConnectionHandler& handler) override {
        if (loop_ == nullptr) return;
        handler_ = &handler;
        loop_->post([self = shared_from_this()] { self->deliver(); });
    }
    Buffer& output() override {
        if (loop_ != nullptr) loop_->at_end_of_turn(*this);
        return out_.tail();
    }
    void send(const SharedBytes& bytes) override {
        out_.push(bytes);
        if (loop_ != nullptr) loop_->at_end_of_turn(*this);
    }
    [[nodiscard]] std::size_t queued_bytes() const override { return out_.bytes(); }
    void set_reading(bool reading) override {
        reading_ = reading;
        if (reading && loop_ != nullptr) loop_->post([self = shared_from_this()] { self->deliver(); });
    }
    void set_background(bool /*background*/) override {}  // nothing takes time here
    void close_after_send() override {
        flush(true);
        close();
    }
    void close() override {
        handler_ = nullptr;
        if (loop_ != nullptr) loop_->forget(*this);
        if (!std::exchange(open_, false)) return;
        if (const auto peer = peer_.lock()) peer->coming({}, true);
    }
    [[nodiscard]] std::string remote() const override { return remote_; }

    /// The host is gone, with all that it held.
    void vanish(bool told) {
        if (loop_ != nullptr) loop_->forget(*this);
        loop_ = nullptr;
        handler_ = nullptr;
        if (std::exchange(open_, false) && told) {
            if (const auto peer = peer_.lock()) peer->coming({}, true);
        }
    }
    /// The network ends it: part of what is under way still comes, cut anywhere.
    void break_off() {
        broken_ = true;
        if (!segments_.empty()) {
            segments_.resize(1 + network_.random_.next() % segments_.size());
            auto& last = segments_.back().bytes;
            if (last != nullptr && !last->empty()) last->resize_down(network_.random_.next() % last->size());
        }
        coming({}, true);
    }
    /// After a cut has ended.
    void try_again() {
        if (timer_ == runtime::TimerId::none && !segments_.empty()) arm(network_.random_.between(10ms, 1000ms));
    }

private:
    struct Segment {
        Time ready;
        std::shared_ptr<Buffer> bytes;  // none: the other side has ended it
    };

    void end_of_turn() override { flush(false); }

    void flush(bool whole) {
        if (!open_) return;
        const auto peer = peer_.lock();
        if (peer == nullptr || peer->loop_ == nullptr || broken_) {
            send_into_the_void();
            return;
        }
        while (!out_.empty()) {
            const auto room = network_.plan_.window > peer->held_ ? network_.plan_.window - peer->held_ : 0;
            auto wanted = whole ? out_.bytes() : std::min(out_.bytes(), room);
            if (network_.plan_.piece_max > 0) {
                wanted = std::min<std::size_t>(wanted, network_.random_.between(1, network_.plan_.piece_max));
            }
            if (wanted == 0) break;
            auto bytes = std::make_shared<Buffer>();
            BytesView views[64];
            const auto count = out_.gather(views, 64);
            for (std::size_t index = 0; index < count && bytes->size() < wanted; ++index) {
                bytes->append(views[index].first(std::min(views[index].size(), wanted - bytes->size())));
            }
            out_.sent(bytes->size());
            peer->coming(std::move(bytes), false);
        }
        if (out_.bytes() > queue_max_) {
            network_.trace_.fail(fmt::format("{} has {} bytes queued for {}; at most {} are promised", host_,
                                             out_.bytes(), remote_host_, queue_max_));
        }
    }

    /// The other end is gone and never said so: its host, once it is up again, answers that it knows nothing of this.
    void send_into_the_void() {
        out_.clear();
        if (network_.down_.contains(remote_host_) || broken_) return;
        coming({}, true);
    }

    void coming(std::shared_ptr<Buffer> bytes, bool end) {
        if (loop_ == nullptr || ended_) return;
        ended_ = end;
        if (bytes != nullptr) held_ += bytes->size();
        const auto now = network_.loop_.now();
        last_ready_ = std::max(last_ready_, now + network_.delay());
        segments_.push_back({last_ready_, std::move(bytes)});
        if (timer_ == runtime::TimerId::none) arm(segments_.front().ready - now);
    }

    void arm(Duration wait) {
        timer_ = network_.loop_.after(wait, [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->pump();
        });
    }

    void pump() {
        timer_ = runtime::TimerId::none;
        if (loop_ == nullptr || network_.is_cut(remote_host_, host_)) return;
        const auto now = network_.loop_.now();
        while (!segments_.empty() && segments_.front().ready <= now) {
            auto bytes = std::move(segments_.front().bytes);
            segments_.pop_front();
            loop_->post([self = shared_from_this(), bytes = std::move(bytes)] {
                bytes == nullptr ? self->end() : self->receive(*bytes);
            });
        }
        if (!segments_.empty()) arm(segments_.front().ready - now);
    }

    void receive(BytesView bytes) {
        in_.append(bytes);
        deliver();
    }
    void deliver() {
        if (!open_) {
            release(in_.size());
            in_.release();
            return;
        }
        if (handler_ == nullptr || !reading_ || in_.empty()) return;
        const auto self = shared_from_this();
        Buffer now;
        std::swap(now, in_);
        const auto before = now.size();
        const auto taken = handler_->on_bytes(now);
        now.consume(taken);
        now.append(in_);
        std::swap(now, in_);
        release(std::min(before, taken));
    }
    /// Room for the sender again.
    void release(std::size_t bytes) {
        held_ -= bytes;
        const auto peer = peer_.lock();
        if (bytes == 0 || peer == nullptr || peer->loop_ == nullptr || peer->out_.empty()) return;
        network_.loop_.after(network_.plan_.latency, [weak = peer_] {
            const auto sender = weak.lock();
            if (sender == nullptr || sender->loop_ == nullptr) return;
            sender->loop_->post([sender] { sender->flush(false); });
        });
    }
    void end() {
        if (!std::exchange(open_, false)) return;
        if (loop_ != nullptr) loop_->forget(*this);
        if (auto* handler = std::exchange(handler_, nullptr)) {
            handler->on_closed({Code::unavailable, "the other side closed the connection"});
        }
    }

    Network& network_;
    runtime::Loop* loop_;  // none: the host is gone
    std::string host_, remote_host_, remote_;
    std::size_t queue_max_;
    std::weak_ptr<HostConnection> peer_;
    transport::ConnectionHandler* handler_ = nullptr;
    transport::OutQueue out_;
    Buffer in_;
    std::deque<Segment> segments_;  // on their way to this end
    std::size_t held_ = 0;          // bytes in segments_, in jobs of the loop and in in_
    Time last_ready_{};
    runtime::TimerId timer_ = runtime::TimerId::none;
    bool reading_ = true, open_ = true, ended_ = false, broken_ = false;
};

class HostListener final : public transport::Listener {
public:
    HostListener(Network& network, std::string address) : network_{network}, address_{std::move(address)} {}
    ~HostListener() override {
        const auto port = network_.ports_.find(address_);
        *port->second.on_accept = nullptr;
        network_.ports_.erase(port);
    }
    [[nodiscard]] std::string address() const override { return address_; }

private:
    Network& network_;
    std::string address_;
};

/// A connection that is being made.
struct Network::Attempt {
    std::string host, address;
    runtime::Loop& loop;
    std::uint64_t generation;
    Duration timeout;
    bool is_client;
    OnConnect on_connect;
};

Network::Network(runtime::VirtualTime& time, Trace& trace, std::uint64_t seed, NetworkPlan plan)
    : loop_{time, "network"}, trace_{trace}, random_{seed, "network"}, plan_{plan} {}

Network::~Network() = default;

Duration Network::delay() {
    auto delay = plan_.latency + random_.exponential(plan_.jitter);
    if (slowness_ > 1) delay = Duration{static_cast<std::int64_t>(static_cast<double>(delay.count()) * slowness_)};
    if (random_.chance(plan_.stall)) delay += random_.between(200ms, 1500ms);
    return delay;
}

Result<std::unique_ptr<transport::Listener>> Network::listen(runtime::Loop& loop, const std::string& address,
                                                             transport::ListenOptions /*options*/, OnAccept on_accept) {
    if (ports_.contains(address)) return Error{Code::conflict, "{} is in use", address};
    ports_[address] = {&loop, loop.name(), std::make_shared<OnAccept>(std::move(on_accept))};
    return std::unique_ptr<transport::Listener>{std::make_unique<HostListener>(*this, address)};
}

void Network::connect(runtime::Loop& loop, const std::string& address, Duration timeout, OnConnect on_connect) {
    begin({loop.name(), address, loop, generations_[loop.name()], timeout, false, std::move(on_connect)});
}

void Network::connect_from(const std::string& host, runtime::Loop& loop, const std::string& address, Duration timeout,
                           OnConnect on_connect) {
    begin({host, address, loop, generations_[host], timeout, true, std::move(on_connect)});
}

void Network::begin(Attempt attempt) {
    loop_.after(delay(), [this, shared = std::make_shared<Attempt>(std::move(attempt))] { arrive(shared); });
}

void Network::arrive(const std::shared_ptr<Attempt>& attempt) {
    const auto port = ports_.find(attempt->address);
    const bool listens = port != ports_.end();
    if (listens && (is_cut(attempt->host, port->second.host) || is_cut(port->second.host, attempt->host))) {
        loop_.after(attempt->timeout, [this, attempt] {
            finish(attempt, Error{Code::unavailable, "{} does not answer", attempt->address});
        });
        return;
    }
    if (!listens) {
        loop_.after(delay(), [this, attempt] {
            finish(attempt, Error{Code::unavailable, "nobody listens at {}", attempt->address});
        });
        return;
    }
    if (generations_[attempt->host] != attempt->generation) return;
    const auto number = next_connection_++;
    auto near =
        std::make_shared<HostConnection>(*this, attempt->loop, attempt->host, port->second.host, attempt->address,
                                         attempt->is_client ? SIZE_MAX : plan_.link_queue_max);
    auto far = std::make_shared<HostConnection>(*this, *port->second.loop, port->second.host, attempt->host,
                                                fmt::format("{}:{}", attempt->host, number),
                                                attempt->is_client ? plan_.client_queue_max : plan_.link_queue_max);
    near->join(far);
    far->join(near);
    connections_[2 * number] = near;
    connections_[2 * number + 1] = far;
    trace_.note("connection", attempt->host, number);
    port->second.loop->post([accept = port->second.on_accept, far] { *accept ? (*accept)(far) : far->close(); });
    loop_.after(delay(), [this, attempt, near] { finish(attempt, std::shared_ptr<transport::Connection>{near}); });
}

void Network::finish(const std::shared_ptr<Attempt>& attempt, Result<std::shared_ptr<transport::Connection>> outcome) {
    if (generations_[attempt->host] != attempt->generation) return;
    attempt->loop.post([attempt, outcome = std::move(outcome)]() mutable { attempt->on_connect(std::move(outcome)); });
}

std::vector<std::shared_ptr<HostConnection>> Network::of_host(const std::string& host) {
    std::vector<std::shared_ptr<HostConnection>> found;
    for (auto place = connections_.begin(); place != connections_.end();) {
        const auto connection = place->second.lock();
        if (connection == nullptr) {
            place = connections_.erase(place);
            continue;
        }
        if (connection->host() == host) found.push_back(connection);
        ++place;
    }
    return found;
}

std::size_t Network::connections() const {
    return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), [](const auto& entry) {
        const auto connection = entry.second.lock();
        return connection != nullptr && connection->is_open();
    }));
}

void Network::set_cut(const std::string& from, const std::string& to, bool cut) {
    if (cut) {
        cuts_.emplace(from, to);
        return;
    }
    if (cuts_.erase({from, to}) == 0) return;
    for (const auto& connection : of_host(to)) {
        if (connection->remote_host() == from) connection->try_again();
    }
}

void Network::heal() {
    slowness_ = 1;
    plan_.stall = 0;
    for (const auto& [from, to] : std::set{cuts_}) set_cut(from, to, false);
}

void Network::host_down(const std::string& host, bool told) {
    ++generations_[host];
    if (!told) down_.insert(host);
    for (const auto& connection : of_host(host)) connection->vanish(told);
}

void Network::end_of_world() {
    for (const auto& [number, weak] : connections_) {
        if (const auto connection = weak.lock()) connection->vanish(false);
    }
}

bool Network::break_one(const std::string& host) {
    auto all = of_host(host);
    std::erase_if(all, [](const auto& connection) { return !connection->is_open(); });
    if (all.empty()) return false;
    const auto chosen = random_.pick(all);
    for (const auto& other : of_host(chosen->remote_host())) {
        if (other->remote_host() == host && other->is_peer_of(*chosen)) other->break_off();
    }
    chosen->break_off();
    return true;
}

}  // namespace gs::sim
