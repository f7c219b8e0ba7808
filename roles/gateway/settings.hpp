#pragma once
// What a gateway is told, and what it counts.
#include <chrono>
#include <set>
#include <string>

#include "api/role.hpp"

namespace gs::gateway {

struct GatewaySettings {
    explicit GatewaySettings(Settings settings, bool development);
    std::string address, advertise, websocket_advertise, certificate_file, key_file;
    std::size_t connections_max, unauthenticated_per_address_max;
    std::size_t frame_bytes_max, frame_bytes_max_before_enter;
    std::size_t queue_bytes_soft, queue_bytes_max;
    std::chrono::seconds hello_timeout, token_timeout, frame_timeout, slow_timeout, heartbeat;
    std::uint32_t messages_per_second_max;
    std::size_t bytes_per_second_max;
    std::set<std::string> proxies;
    std::string public_key_file, zone;
    bool encrypted;
    std::string noise_key_file, noise_certificate_file;
};

/// What a gateway counts; rejected messages and connections by reason.
struct GatewayCounters {
    explicit GatewayCounters(Metrics& metrics);
    Gauge &connections, &playing;
    Counter &accepted, &messages_in, &messages_out, &bytes_in, &bytes_out;
    Counter &rejected_hello, &banned, &rejected_foreign, &rejected_size, &rejected_malformed, &rejected_token,
        &rejected_command;
    Counter &rejected_rate, &rejected_timeout, &rejected_full;
    Counter &slow_readers, &silent, &gone, &throttled;
    Histogram &rtt, &held;
};

}  // namespace gs::gateway
