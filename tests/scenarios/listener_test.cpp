// What gateway.tcp says of the listener, as the system has it.
#include <catch2/catch.hpp>

#include "tests/scenarios/own_sockets.hpp"
#include "tests/scenarios/real_node.hpp"

namespace gs::scenarios {

TEST_CASE("the gateway listens as its settings say", "[scenario][tcp][NET-10][NET-11]") {
    const RealNode node{{{"gateway.tcp.backlog", std::int64_t{9}},
                         {"gateway.tcp.send_buffer_bytes", std::int64_t{20'000}},
                         {"gateway.tcp.receive_buffer_bytes", std::int64_t{30'000}},
                         {"gateway.tcp.keepalive_seconds", std::int64_t{31}}}};
    const auto port = transport::parse_host_port(node.gateway()).value().port;
    const int listening = find_own_socket(port, true).value();
    CHECK(backlog_of(listening) == 9);
    CHECK(socket_option(listening, SOL_SOCKET, SO_SNDBUF) == 40'000);  // the system's own part is in it
    CHECK(socket_option(listening, SOL_SOCKET, SO_RCVBUF) == 60'000);
    CHECK(socket_option(listening, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(socket_option(listening, IPPROTO_TCP, TCP_KEEPIDLE) == 31);
}

}  // namespace gs::scenarios
