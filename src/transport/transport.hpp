#pragma once
// How bytes travel: one interface, a folder for each way (tcp/, memory/). A connection belongs to one loop.
// Owner: whoever holds the shared_ptr; an operation in flight keeps the object alive, not the connection open.
// Loop: every call and every callback on the connection's own loop.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "runtime/loop.hpp"

namespace gs::transport {

/// What the holder of a connection is told. No call comes after close() or after on_closed.
class ConnectionHandler {
public:
    /// Returns how many bytes it took; the rest comes again, at the front of what arrives later. The view dies on
    /// return.
    virtual std::size_t on_bytes(BytesView bytes) = 0;
    /// The other side or the network ended it; what was queued is lost.
    virtual void on_closed(const Error& why) = 0;

protected:
    ~ConnectionHandler() = default;
};

class Connection {
public:
    virtual ~Connection() = default;

    /// Begins to read. `handler` outlives the connection or calls close() first. Started again, another handler takes
    /// its place, from the next bytes on: that is how a layer (TLS, WebSocket) comes between.
    virtual void start(ConnectionHandler& handler) = 0;
    /// Bytes appended here are sent at the end of the turn, all in one system call. The reference dies with the turn.
    [[nodiscard]] virtual Buffer& output() = 0;
    /// Queues shared bytes without copying them.
    virtual void send(const SharedBytes& bytes) = 0;
    /// What is queued and not taken by the network yet.
    [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
    /// Not reading, it may still be handed what had arrived; reading again, it is handed what was not taken.
    virtual void set_reading(bool reading) = 0;
    /// In the background it is read after the others, in small pieces, and all that are there have only a little time in
    /// each turn: for whoever has yet to show that he may come in, so that those who are in do not wait for him.
    virtual void set_background(bool background) = 0;
    /// Sends what is queued (for at most a second), then closes. No more callbacks.
    virtual void close_after_send() = 0;
    virtual void close() = 0;
    /// The other side's address, for logs and limits ("127.0.0.1:50123").
    [[nodiscard]] virtual std::string remote() const = 0;
};

class Listener {
public:
    virtual ~Listener() = default;  ///< stops accepting
    /// With the port that was really taken when 0 was asked for.
    [[nodiscard]] virtual std::string address() const = 0;
    /// How often it has stopped accepting for a moment, out of files or memory or for an objection.
    [[nodiscard]] virtual std::uint64_t pauses() const { return 0; }
};

struct ListenOptions {
    int backlog = 4096;
    /// So many files, an eighth of all at most, are left to the rest of the process: its admin endpoint, links and logs.
    int spare_files = 0;
    /// So many bytes the system queues for a connection that are not on their way; more stay in queued_bytes(), where
    /// they are seen. 0: as many as it likes, which is megabytes.
    int unsent_bytes_max = 0;
    /// Of each connection, in the system; 0: it decides. The system doubles them for its own needs, and has a most.
    int send_buffer_bytes = 0, receive_buffer_bytes = 0;
    /// TCP asks a peer that was silent for so long, and gives it up after about twice as long. 0: never; not set: as the
    /// system does, which is hours.
    std::optional<std::chrono::seconds> keepalive{};
    /// Asked before somebody is accepted: why he must wait now. Empty: he need not. Unset: nobody must.
    std::function<std::string()> objection{};
};

class Transport {
public:
    using OnAccept = std::function<void(std::shared_ptr<Connection>)>;
    using OnConnect = std::function<void(Result<std::shared_ptr<Connection>>)>;

    virtual ~Transport() = default;
    /// Errors: says why the address cannot be listened on.
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen(runtime::Loop& loop, const std::string& address,
                                                                   ListenOptions options, OnAccept on_accept) = 0;
    virtual void connect(runtime::Loop& loop, const std::string& address, runtime::Duration timeout,
                         OnConnect on_connect) = 0;
};

/// "host:port" cut in two; "[::1]:7000" too.
struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};
[[nodiscard]] Result<HostPort> parse_host_port(const std::string& address);
[[nodiscard]] bool is_loopback(const std::string& address);

}  // namespace gs::transport
