#pragma once
// A connection that runs inside of another one. Whoever reads a connection and finds that such a layer begins there
// puts it between: it makes the layer, starts it as it started the connection, and hands it the bytes.
// Owner: as every connection; it owns the one below. Loop: the one below's.
#include <filesystem>
#include <memory>

#include "transport/transport.hpp"

namespace gs::transport {

class Layer : public Connection, public ConnectionHandler {};

/// The server's side of a WebSocket, from the HTTP request on. Browsers can open nothing else.
[[nodiscard]] std::shared_ptr<Layer> accept_websocket(runtime::Loop& loop, std::shared_ptr<Connection> below);
/// The client's side; `host` as its request names the server.
[[nodiscard]] std::shared_ptr<Layer> connect_websocket(runtime::Loop& loop, std::shared_ptr<Connection> below,
                                                       const std::string& host);

/// A certificate with its key, for TLS. Connections that it has accepted go on without it.
class TlsCertificate {
public:
    virtual ~TlsCertificate() = default;
    [[nodiscard]] virtual std::shared_ptr<Layer> accept(runtime::Loop& loop, std::shared_ptr<Connection> below) = 0;
    [[nodiscard]] virtual runtime::WallTime expires() const = 0;
};
/// PEM files; the certificate's chain stands in one file, its own first. Errors: says which file is wrong, and why.
[[nodiscard]] Result<std::unique_ptr<TlsCertificate>> load_tls_certificate(const std::filesystem::path& chain,
                                                                           const std::filesystem::path& key);

}  // namespace gs::transport
