#include "api/secure.hpp"

namespace gs {

ClientListener read_client_listener(const Settings& settings, bool development) {
    ClientListener listener;
    const auto tcp = settings.section("gateway.tcp");
    listener.address = tcp.text("address", "127.0.0.1:7000", "where clients connect; port 0 takes any free one");
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
