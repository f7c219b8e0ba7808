#pragma once
// What a gateway is told, and what it counts.
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::gateway {

struct GatewaySettings {
    explicit GatewaySettings(Settings settings, bool development);
    std::string address, advertise, websocket_advertise, certificate_file, key_file;
    std::size_t connections_max, connections_per_address_max, unauthenticated_per_address_max;
    std::size_t hellos_per_second_max, hellos_per_address_max;
    std::size_t frame_bytes_max, frame_bytes_max_before_enter;
    std::size_t queue_bytes_soft, queue_bytes_max, queue_bytes_total_max;
    std::chrono::seconds hello_timeout, token_timeout, frame_timeout, slow_timeout, heartbeat;
    std::uint32_t messages_per_second_max;
    std::map<Command, std::uint32_t> command_rates;  ///< most of one connection in a second
    std::size_t compress_from;
    bool checksum;
    std::chrono::milliseconds message_age_max;
    std::size_t bytes_per_second_max;
    std::uint32_t memory_percent_max;
    std::set<std::string> proxies;
    transport::ListenOptions listen;
    std::string public_key_file, zone;
    bool encrypted;
    std::optional<session::Version> client_version_min;
    std::string upgrade_address;
    std::string noise_key_file, noise_certificate_file;
};

/// What a gateway counts; rejected messages and connections by reason.
struct GatewayCounters {
    explicit GatewayCounters(Metrics& metrics);
    Gauge &connections, &playing, &queued_bytes, &handshakes_waiting;
    Counter &accepted, &accept_pauses, &messages_in, &messages_out, &bytes_in, &bytes_out;
    Counter &rejected_hello, &banned, &rejected_foreign, &rejected_size, &rejected_malformed, &rejected_token,
        &rejected_command, &rejected_version;
    Counter &rejected_checksum, &rejected_compression, &rejected_stale;
    Counter &rejected_rate, &rejected_timeout, &rejected_full;
    Counter &slow_readers, &states_replaced, &silent, &gone, &throttled;
    Histogram &rtt, &held;
};

}  // namespace gs::gateway
