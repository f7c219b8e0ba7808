#include "transport/memory/memory_transport.hpp"

#include "transport/out_queue.hpp"

namespace gs::transport {

class MemoryConnection final : public Connection,
                               public std::enable_shared_from_this<MemoryConnection>,
                               private runtime::EndOfTurn {
public:
    MemoryConnection(MemoryTransport& network, runtime::Loop& loop, std::string remote, std::shared_ptr<bool> cut)
        : EndOfTurn{Phase::send}, network_{network}, loop_{loop}, remote_{std::move(remote)}, cut_{std::move(cut)} {}
    ~MemoryConnection() override { loop_.forget(*this); }

    void join(const std::shared_ptr<MemoryConnection>& peer) { peer_ = peer; }
    void start(ConnectionHandler& handler) override {
        handler_ = &handler;
        loop_.post([self = shared_from_this()] { self->deliver(); });
    }
    Buffer& output() override {
        loop_.at_end_of_turn(*this);
        return out_.tail();
    }
    void send(const SharedBytes& bytes) override {
        out_.push(bytes);
        loop_.at_end_of_turn(*this);
    }
    std::size_t queued_bytes() const override { return out_.bytes(); }
    void set_reading(bool reading) override {
        reading_ = reading;
        if (!reading) return;
        loop_.post([self = shared_from_this()] { self->deliver(); });
        if (const auto peer = peer_.lock()) peer->loop_.post([peer] { peer->flush(); });
    }
    void set_background(bool background) override {
        if (!open_ || std::exchange(background_, background) == background) return;
        background ? ++network_.in_background_ : --network_.in_background_;
    }
    void close_after_send() override {
        flush();
        close();
    }
    void close() override {
        handler_ = nullptr;
        loop_.forget(*this);
        set_background(false);
        if (!std::exchange(open_, false) || *cut_) return;
        if (const auto peer = peer_.lock()) peer->loop_.post([peer] { peer->end(); });
    }
    std::string remote() const override { return remote_; }

private:
    void end_of_turn() override { flush(); }

    void flush() {
        const auto peer = peer_.lock();
        if (!open_ || peer == nullptr) return;
        // A peer that does not read leaves the bytes in this queue, like a full socket.
        if (!peer->reading_ && peer->in_.size() > socket_bytes) return;
        BytesView views[64];
        while (const auto count = out_.gather(views, 64)) {
            auto bytes = std::make_shared<Buffer>();
            for (std::size_t index = 0; index < count; ++index) bytes->append(views[index]);
            out_.sent(bytes->size());
            if (*cut_) continue;
            peer->loop_.post([peer, bytes] { peer->receive(*bytes); });
        }
    }
    void receive(BytesView bytes) {
        if (*cut_) return;
        const auto piece = network_.piece_bytes_ == 0 ? bytes.size() : network_.piece_bytes_;
        while (!bytes.empty()) {
            const auto part = bytes.first(std::min(piece, bytes.size()));
            in_.append(part);
            bytes = bytes.subspan(part.size());
            deliver();
        }
    }
    void deliver() {
        if (handler_ == nullptr || !reading_ || in_.empty()) return;
        const auto self = shared_from_this();
        Buffer now;
        std::swap(now, in_);
        const auto taken = handler_->on_bytes(now);
        now.consume(taken);
        now.append(in_);
        std::swap(now, in_);
    }
    void end() {
        set_background(false);
        if (!std::exchange(open_, false)) return;
        loop_.forget(*this);
        if (auto* handler = std::exchange(handler_, nullptr)) {
            handler->on_closed({Code::unavailable, "the other side closed the connection"});
        }
    }

    static constexpr std::size_t socket_bytes = 64 * 1024;
    MemoryTransport& network_;
    runtime::Loop& loop_;
    std::string remote_;
    std::shared_ptr<bool> cut_;
    std::weak_ptr<MemoryConnection> peer_;
    ConnectionHandler* handler_ = nullptr;
    OutQueue out_;
    Buffer in_;
    bool reading_ = true, open_ = true, background_ = false;
};

class MemoryListener final : public Listener {
public:
    MemoryListener(MemoryTransport& network, std::string address) : network_{network}, address_{std::move(address)} {}
    ~MemoryListener() override {
        const auto port = network_.ports_.find(address_);
        port->second.gate->on_accept = nullptr;  // connections that are on their way find nobody
        network_.ports_.erase(port);
    }
    std::string address() const override { return address_; }
    std::uint64_t pauses() const override { return network_.ports_.at(address_).gate->pauses; }

private:
    MemoryTransport& network_;
    std::string address_;
};

Result<std::unique_ptr<Listener>> MemoryTransport::listen(runtime::Loop& loop, const std::string& address,
                                                          ListenOptions options, OnAccept on_accept) {
    auto parts = parse_host_port(address);
    if (!parts) return parts.error();
    const auto name = parts->port == 0 ? fmt::format("{}:{}", parts->host, next_port_++) : address;
    if (ports_.contains(name)) return Error{Code::conflict, "port {} of {} is in use", parts->port, parts->host};
    ports_[name] = {&loop, std::make_shared<Gate>(Gate{std::move(on_accept), std::move(options.objection)})};
    return std::unique_ptr<Listener>{std::make_unique<MemoryListener>(*this, name)};
}

void MemoryTransport::connect(runtime::Loop& loop, const std::string& address, runtime::Duration /*timeout*/,
                              OnConnect on_connect) {
    const auto port = ports_.find(address);
    if (port == ports_.end() || *port->second.cut) {
        loop.post([on_connect = std::move(on_connect), address] {
            on_connect(Error{Code::unavailable, "cannot connect to {}: nobody listens", address});
        });
        return;
    }
    auto near = std::make_shared<MemoryConnection>(*this, loop, address, port->second.cut);
    auto far = std::make_shared<MemoryConnection>(*this, *port->second.loop, fmt::format("127.0.0.1:{}", next_port_++),
                                                  port->second.cut);
    near->join(far);
    far->join(near);
    port->second.loop->post([&to = *port->second.loop, gate = port->second.gate, far] { arrive(to, gate, far); });
    loop.post([on_connect = std::move(on_connect), near] { on_connect(std::shared_ptr<Connection>{near}); });
}

/// Who comes while there is an objection waits, as in the backlog of a socket.
void MemoryTransport::arrive(runtime::Loop& loop, const std::shared_ptr<Gate>& gate,
                             const std::shared_ptr<Connection>& connection) {
    if (gate->on_accept == nullptr) {
        connection->close();
    } else if (gate->objection && !gate->objection().empty()) {
        ++gate->pauses;
        loop.after(std::chrono::milliseconds{100}, [&loop, gate, connection] { arrive(loop, gate, connection); });
    } else {
        gate->on_accept(connection);
    }
}

void MemoryTransport::set_cut(const std::string& address, bool cut) {
    if (const auto port = ports_.find(address); port != ports_.end()) *port->second.cut = cut;
}

}  // namespace gs::transport
