#pragma once
// Connections inside one process for tests and the simulator: bytes travel as jobs of the receiving loop. Loops may be
// virtual. Owner: the network outlives its listeners and connections.
#include <map>

#include "transport/transport.hpp"

namespace gs::transport {

class MemoryTransport final : public Transport {
public:
    [[nodiscard]] Result<std::unique_ptr<Listener>> listen(runtime::Loop& loop, const std::string& address,
                                                           ListenOptions options, OnAccept on_accept) override;
    void connect(runtime::Loop& loop, const std::string& address, runtime::Duration timeout,
                 OnConnect on_connect) override;

    /// From now on nothing is delivered between `address` and those connected to it, and nobody is told.
    void set_cut(const std::string& address, bool cut);
    /// Bytes are delivered in pieces of at most this size, to try every segmentation. 0: whole.
    void set_piece_bytes(std::size_t bytes) { piece_bytes_ = bytes; }
    /// How many open connections are in the background, which makes no difference here.
    [[nodiscard]] std::size_t in_background() const { return in_background_; }

private:
    friend class MemoryListener;
    friend class MemoryConnection;
    struct Gate {
        OnAccept on_accept;  // null: nobody listens any more
        std::function<std::string()> objection;
        std::uint64_t pauses = 0;
    };
    struct Port {
        runtime::Loop* loop = nullptr;
        std::shared_ptr<Gate> gate;
        std::shared_ptr<bool> cut = std::make_shared<bool>(false);
    };
    static void arrive(runtime::Loop& loop, const std::shared_ptr<Gate>& gate,
                       const std::shared_ptr<Connection>& connection);
    std::map<std::string, Port> ports_;
    std::size_t piece_bytes_ = 0, in_background_ = 0;
    int next_port_ = 50'000;
};

}  // namespace gs::transport
