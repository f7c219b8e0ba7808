#pragma once
// A network of hosts on virtual time, as TCP shows it: every connection is an ordered stream of bytes; loss is a stall,
// an end in the middle of a frame, or silence. A host is named by the loop that listens or connects; clients name their
// own. Owner: outlives connections and listeners. Loop: the simulation's thread.
#include <map>
#include <set>

#include "runtime/virtual_loop.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/trace.hpp"
#include "transport/transport.hpp"

namespace gs::sim {

/// How good the network of a simulation is.
struct NetworkPlan {
    runtime::Duration latency = std::chrono::milliseconds{1};
    runtime::Duration jitter = std::chrono::microseconds{200};  ///< the mean of what is added
    double stall = 0;                  ///< probability for a piece that it is lost once and sent again
    std::size_t piece_max = 0;         ///< bytes delivered at once; 0: as they were sent
    std::size_t window = 128U << 10U;  ///< bytes that the network and a receiver hold for a connection
    /// What a node may have queued for one client or one other node: what the product promises, and one turn's worth.
    std::size_t client_queue_max = 576U << 10U, link_queue_max = 9U << 20U;
};

class HostConnection;

class Network final : public transport::Transport {
public:
    Network(runtime::VirtualTime& time, Trace& trace, std::uint64_t seed, NetworkPlan plan);
    ~Network() override;

    [[nodiscard]] Result<std::unique_ptr<transport::Listener>> listen(runtime::Loop& loop, const std::string& address,
                                                                      transport::ListenOptions options,
                                                                      OnAccept on_accept) override;
    void connect(runtime::Loop& loop, const std::string& address, runtime::Duration timeout,
                 OnConnect on_connect) override;
    /// As a client, which is a host of its own.
    void connect_from(const std::string& host, runtime::Loop& loop, const std::string& address,
                      runtime::Duration timeout, OnConnect on_connect);

    // --- faults
    /// Nothing that `from` sends reaches `to`, and nobody is told; what was sent arrives when the cut ends.
    void set_cut(const std::string& from, const std::string& to, bool cut);
    void heal();
    /// The host is gone from one moment to the next. Told: its kernel lives and ends the connections; else silence,
    /// and whoever sends to it later learns only when the host is up again.
    void host_down(const std::string& host, bool told);
    void host_up(const std::string& host) { down_.erase(host); }
    /// Ends one connection between a host and any other in the middle of what is under way; false: it has none.
    bool break_one(const std::string& host);
    /// Before the loops of hosts end.
    void end_of_world();
    /// Slows everything down.
    void set_slowness(double factor) { slowness_ = factor; }

    [[nodiscard]] std::size_t connections() const;

private:
    friend class HostListener;
    friend class HostConnection;
    struct Port {
        runtime::Loop* loop = nullptr;
        std::string host;
        std::shared_ptr<OnAccept> on_accept;
    };
    struct Attempt;

    [[nodiscard]] bool is_cut(const std::string& from, const std::string& to) const {
        return !cuts_.empty() && cuts_.contains({from, to});
    }
    [[nodiscard]] runtime::Duration delay();
    void begin(Attempt attempt);
    void arrive(const std::shared_ptr<Attempt>& attempt);
    void finish(const std::shared_ptr<Attempt>& attempt, Result<std::shared_ptr<transport::Connection>> outcome);
    [[nodiscard]] std::vector<std::shared_ptr<HostConnection>> of_host(const std::string& host);

    runtime::VirtualLoop loop_;
    Trace& trace_;
    Random random_;
    NetworkPlan plan_;
    double slowness_ = 1;
    std::map<std::string, Port> ports_;
    std::map<std::string, std::uint64_t> generations_;  // of a host: raised when it goes down
    std::set<std::string> down_;                        // silent, not even a refusal comes back
    std::set<std::pair<std::string, std::string>> cuts_;
    std::map<std::uint64_t, std::weak_ptr<HostConnection>> connections_;
    std::uint64_t next_connection_ = 1;
};

}  // namespace gs::sim
