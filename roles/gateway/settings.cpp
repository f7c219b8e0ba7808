#include "roles/gateway/settings.hpp"

#include "api/secure.hpp"
#include "api/session.hpp"

namespace gs::gateway {

namespace {
constexpr std::int64_t kib = 1024;
}

GatewaySettings::GatewaySettings(Settings settings, bool development) {
    const auto gateway = settings.section("gateway");
    const auto seconds = [&](std::string_view key, std::int64_t fallback, std::string_view meaning) {
        return std::chrono::seconds{gateway.integer(key, fallback, {1, 3600}, "seconds", meaning)};
    };
    const auto bytes = [&](std::string_view key, std::int64_t fallback, std::string_view meaning) {
        return static_cast<std::size_t>(gateway.integer(key, fallback, {64, 64 * kib * kib}, "bytes", meaning));
    };
    const auto listener = read_client_listener(settings, development);
    address = listener.address;
    encrypted = listener.encrypted;
    listen = listener.options;
    advertise = gateway.text("tcp.advertise", "", "the address that login tells clients; empty: tcp.address");
    websocket_advertise = gateway.text("websocket.advertise", "",
                                       "the URL that login tells browsers; empty: tcp.advertise with ws://, or with "
                                       "wss:// when there is a certificate");
    certificate_file = gateway.text("tls.certificate_file", "",
                                    "PEM, with its chain, for wss on the port of clients; read again when it changes; "
                                    "empty: no TLS; inside the data directory unless absolute");
    key_file = gateway.secret_file("tls.key_file", "", "PEM, the certificate's key");
    if (certificate_file.empty() != key_file.empty())
        gateway.reject("tls.certificate_file", "and tls.key_file go together: give both, or none");
    connections_max = static_cast<std::size_t>(
        gateway.integer("connections_max", 20'000, {1, 10'000'000}, "connections", "more are refused"));
    unauthenticated_per_address_max =
        static_cast<std::size_t>(gateway.integer("unauthenticated_per_address_max", 32, {1, 1'000'000}, "connections",
                                                 "connections of one address that have not entered yet; on loopback "
                                                 "addresses only development mode lifts this"));
    connections_per_address_max = static_cast<std::size_t>(
        gateway.integer("connections_per_address_max", 0, {0, 10'000'000}, "connections",
                        "of one address, or IPv6 network of 64 bits, whether they have entered or not; 0: no limit"));
    hellos_per_second_max = static_cast<std::size_t>(
        gateway.integer("hellos_per_second_max", 0, {0, 1'000'000}, "hellos",
                        "connections that may begin in a second, which with encryption costs about 0.2 ms each; more "
                        "are told to try again; 0: no limit"));
    hellos_per_address_max = static_cast<std::size_t>(
        gateway.integer("hellos_per_address_max", 100, {0, 1'000'000}, "hellos",
                        "of one address in a second; 0: no limit, as on loopback addresses in development mode"));
    frame_bytes_max = bytes("frame_bytes_max", 16 * kib, "the longest frame of a player");
    frame_bytes_max_before_enter =
        bytes("frame_bytes_max_before_enter", 4 * kib, "the longest frame before the token is verified");
    queue_bytes_soft =
        bytes("queue_bytes_soft", 64 * kib, "a client with more unsent than this for slow_timeout_seconds is closed");
    queue_bytes_max = bytes("queue_bytes_max", 256 * kib, "a client with more unsent than this is closed at once");
    queue_bytes_total_max = static_cast<std::size_t>(
        gateway.integer("queue_bytes_total_max", kib * kib * kib, {kib * kib, 1024 * kib * kib * kib}, "bytes",
                        "unsent to all clients together; beyond it those with the most are closed, once a second"));
    hello_timeout = seconds("hello_timeout_seconds", 5, "until the first frame is there");
    token_timeout = seconds("token_timeout_seconds", 10, "until the token is there");
    frame_timeout = seconds("frame_timeout_seconds", 10, "for a frame that was begun");
    slow_timeout = seconds("slow_timeout_seconds", 5, "how long a client may stay above queue_bytes_soft");
    heartbeat = seconds("heartbeat_seconds", 15, "a silent client is asked after this, and closed after twice this");
    messages_per_second_max =
        static_cast<std::uint32_t>(gateway.integer("messages_per_second_max", 500, {0, 10'000'000}, "requests",
                                                   "of one connection; more are answered limited; 0: no limit"));
    const auto rates = gateway.tables(
        "command_rate", "commands that cost much, or that players must not flood with", [](const Settings& row) {
            const auto command =
                row.integer("command", 0, {0, 65'535}, "command number", "of a module, as in docs/protocol.md");
            const auto most = row.integer("per_second", 1, {0, 10'000'000}, "requests",
                                          "of one connection; more are answered limited");
            return std::pair{static_cast<Command>(command), static_cast<std::uint32_t>(most)};
        });
    for (const auto& [command, most] : rates) {
        if (command < first_module_command)
            gateway.reject("command_rate", "needs a `command` of a module, " + std::to_string(first_module_command) +
                                               " or above, in each row");
        if (!command_rates.emplace(command, most).second)
            gateway.reject("command_rate", "names command " + std::to_string(command) + " twice");
    }
    bytes_per_second_max = static_cast<std::size_t>(
        gateway.integer("bytes_per_second_max", 256 * kib, {0, 1024 * kib * kib}, "bytes",
                        "of one connection; it is not read for the rest of the second then; 0: no limit"));
    memory_percent_max = static_cast<std::uint32_t>(gateway.integer(
        "memory_percent_max", 95, {50, 100}, "percent",
        "accepting pauses while so much memory is used, as runtime.memory_alarm_percent counts it; 100: never"));
    compress_from = static_cast<std::size_t>(
        gateway.integer("compress_from", kib, {0, 64 * kib}, "bytes",
                        "longer messages are compressed for clients that can undo it, but never secret ones; 0: none"));
    checksum = gateway.flag(
        "checksum", false, "each message of a connection that is not encrypted carries a CRC32C, for clients that can");
    message_age_max = std::chrono::milliseconds{
        gateway.integer("message_age_max_ms", 0, {0, 3'600'000}, "milliseconds",
                        "requests that were on the way for so much longer than the quickest one are refused, for "
                        "clients that say when they sent them; 0: none are")};
    const auto balancers =
        gateway.texts("proxies", {}, "addresses of balancers that begin each connection with a PROXY header (1 or 2)");
    for (const auto& balancer : balancers) {
        const auto address = session::canonical_address(balancer);
        if (address.empty()) gateway.reject("proxies", "\"" + balancer + "\" is not an address in digits");
        proxies.insert(address);
    }
    const auto oldest = gateway.text("client_version_min", "",
                                     "clients that say an older version, or none, are told to upgrade; empty: all may "
                                     "come");
    if (!oldest.empty()) {
        const auto version = session::parse_version(oldest);
        if (!version) gateway.reject("client_version_min", "\"" + oldest + "\": " + version.error().message());
        if (version) client_version_min = *version;
    }
    upgrade_address = gateway.text("upgrade_address", "", "where players get a newer client; they are told");
    const auto token = settings.section("token");
    public_key_file = token.text("public_key_file", "token.pub",
                                 "the key that verifies tokens, inside the data directory unless absolute");
    zone = token.text("zone", "default", "tokens of another zone are refused");
    noise_key_file = gateway.secret_file("noise.key_file", "gateway.key",
                                         "the gateway's static key, inside the data directory unless absolute");
    noise_certificate_file =
        gateway.text("noise.certificate_file", "gateway.cert",
                     "the certificate for it (gameserver certify), inside the data directory unless absolute");
    if (development) {
        unauthenticated_per_address_max = std::max<std::size_t>(unauthenticated_per_address_max, 100'000);
        hellos_per_address_max = 0;
    }
}

GatewayCounters::GatewayCounters(Metrics& metrics)
    : connections{metrics.gauge("gameserver_gateway_connections", "open client connections")},
      playing{metrics.gauge("gameserver_gateway_players", "players who have entered through this gateway")},
      queued_bytes{metrics.gauge("gameserver_gateway_queued_bytes", "unsent to all clients together")},
      handshakes_waiting{
          metrics.gauge("gameserver_gateway_handshakes_waiting", "encrypted clients whose handshake is not begun yet")},
      accepted{metrics.counter("gameserver_gateway_accepted_total", "client connections accepted")},
      accept_pauses{metrics.counter("gameserver_gateway_accept_pauses_total",
                                    "times that accepting stopped for a tenth of a second: no files or memory left")},
      messages_in{metrics.counter("gameserver_client_messages_in_total", "messages from clients")},
      messages_out{metrics.counter("gameserver_client_messages_out_total", "messages to clients")},
      bytes_in{metrics.counter("gameserver_client_bytes_in_total", "bytes from clients")},
      bytes_out{metrics.counter("gameserver_client_bytes_out_total", "bytes of messages to clients")},
#define REJECTED(reason)                                                                               \
    metrics.counter("gameserver_client_rejected_total", "connections and messages refused, by reason", \
                    {{"reason", reason}})
      rejected_hello{REJECTED("hello")},
      banned{REJECTED("banned")},
      rejected_foreign{REJECTED("foreign_protocol")},
      rejected_size{REJECTED("frame_too_long")},
      rejected_malformed{REJECTED("malformed")},
      rejected_token{REJECTED("token")},
      rejected_command{REJECTED("command")},
      rejected_version{REJECTED("version")},
      rejected_checksum{REJECTED("checksum")},
      rejected_compression{REJECTED("compression")},
      rejected_stale{REJECTED("stale")},
      rejected_rate{REJECTED("rate")},
      rejected_timeout{REJECTED("timeout")},
      rejected_full{REJECTED("full")},
#undef REJECTED
      slow_readers{
          metrics.counter("gameserver_client_slow_total", "clients closed because they did not read fast enough")},
      states_replaced{metrics.counter(
          "gameserver_client_states_replaced_total",
          "states that a client did not get, since a newer one came before it had read what waited for it")},
      silent{metrics.counter("gameserver_client_silent_total", "clients closed because nothing was heard from them")},
      gone{metrics.counter("gameserver_gateway_gone_total", "messages for players or connections that are gone")},
      throttled{metrics.counter("gameserver_client_throttled_total",
                                "times that a client was not read for the rest of a second, for bytes_per_second_max")},
      rtt{metrics.histogram("gameserver_client_rtt_seconds", "round trips to clients, measured by heartbeats")},
      held{metrics.histogram("gameserver_client_held_seconds",
                             "how long clients were not read while their player went to another game role")} {
}

}  // namespace gs::gateway
