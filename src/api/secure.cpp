#include "api/secure.hpp"

namespace gs {

ClientListener read_client_listener(const Settings& settings, bool development) {
    ClientListener listener;
    const auto tcp = settings.section("gateway.tcp");
    listener.address = tcp.text("address", "127.0.0.1:7000", "where clients connect; port 0 takes any free one");
    const auto integer = [&](std::string_view key, std::int64_t fallback, Range range, std::string_view unit,
                             std::string_view meaning) {
        return static_cast<int>(tcp.integer(key, fallback, range, unit, meaning));
    };
    auto& options = listener.options;
    constexpr std::int64_t mib = 1024 * 1024;
    options.backlog = integer("backlog", 4096, {1, 65'535}, "connections",
                              "that may wait to be accepted; at most net.core.somaxconn of the system");
    options.send_buffer_bytes = integer("send_buffer_bytes", 0, {0, 64 * mib}, "bytes",
                                        "that the system holds for a client; at most net.core.wmem_max; 0: it decides");
    options.receive_buffer_bytes =
        integer("receive_buffer_bytes", 0, {0, 64 * mib}, "bytes",
                "that the system holds of a client, its TCP window; at most net.core.rmem_max; 0: it decides");
    options.keepalive = std::chrono::seconds{
        integer("keepalive_seconds", 60, {0, 32'767}, "seconds",
                "TCP asks a client that was silent for so long, and gives it up after about twice as long; 0: never")};
    const bool loopback = transport::is_loopback(listener.address);
    const auto security = tcp.choice("security", development && loopback ? "none" : "noise", {"noise", "none"},
                                     "noise encrypts; none is for loopback addresses and development mode; when it is "
                                     "not set: noise, and in development mode none on a loopback address, so that one "
                                     "can look at the bytes");
    listener.encrypted = security == "noise";
    if (!listener.encrypted && !development && !loopback) {
        tcp.reject("security", "must be \"noise\" outside of development mode, unless tcp.address is a loopback one");
    }
    return listener;
}

std::vector<std::string> read_root_files(const Settings& settings) {
    return settings.section("login").texts(
        "root_files", {"zone.pub"},
        "the public keys of the zone's roots: clients are told to trust them when gateways encrypt, and links accept "
        "their certificates; inside the data directory unless absolute; without one, clients must bring it");
}

std::filesystem::path in_directory(const std::filesystem::path& directory, const std::string& file) {
    return std::filesystem::path{file}.is_absolute() ? std::filesystem::path{file} : directory / file;
}

}  // namespace gs
