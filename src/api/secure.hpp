#pragma once
// For the roles that encrypt what clients send, or say how: the handshake, certificates, and where clients connect.
#include <string>

#include "base/crypto/certificate.hpp"
#include "base/settings.hpp"
#include "transport/secure/secure_connection.hpp"
#include "wire/noise/secure_hello.hpp"

namespace gs {

/// The TCP listener for clients, as the settings say: also login must know whether it encrypts.
struct ClientListener {
    std::string address;
    bool encrypted = true;
    transport::ListenOptions options{};
};
/// In development mode a loopback address is plain unless it is told otherwise.
[[nodiscard]] ClientListener read_client_listener(const Settings& settings, bool development);

/// The files of the zone's roots.
[[nodiscard]] std::vector<std::string> read_root_files(const Settings& settings);

/// A file of the data directory, unless the name is absolute.
[[nodiscard]] std::filesystem::path in_directory(const std::filesystem::path& directory, const std::string& file);

}  // namespace gs
