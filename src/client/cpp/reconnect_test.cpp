#include "client/cpp/reconnect.hpp"

#include <catch2/catch.hpp>

using namespace gs::client;
using namespace std::chrono_literals;

TEST_CASE("reconnect: full jitter doubles its bound up to the cap and goes round the gateways", "[client][SES-07]") {
    double drawn = 0;
    Reconnect reconnect{{}, [&] { return drawn; }};
    const Reconnect::Time now{1h};
    const auto waits = [&](double draw) {
        drawn = draw;
        reconnect.lost(0, now);
        std::vector<std::chrono::microseconds> all;
        for (int i = 0; i < 9; ++i) all.push_back(reconnect.next(3, now).value().wait);
        return all;
    };
    CHECK(waits(0) == std::vector<std::chrono::microseconds>(9, 0us));
    CHECK(waits(0.9999999999) ==
          std::vector<std::chrono::microseconds>{100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5s, 5s, 5s});
    reconnect.lost(1, now);
    CHECK(reconnect.next(3, now).value().gateway == 2);
    CHECK(reconnect.next(3, now).value().gateway == 0);
    CHECK(reconnect.next(3, now).value().gateway == 1);
    reconnect.lost(0, now);
    CHECK(reconnect.next(1, now).value().gateway == 0);
    CHECK(reconnect.next(1, now).value().wait <= 200ms);  // a new loss begins anew
}

TEST_CASE("reconnect: it gives up when the server has forgotten the session", "[client][SES-07]") {
    double drawn = 0;
    Reconnect reconnect{{100ms, 5s, 60s}, [&] { return drawn; }};
    const Reconnect::Time now{1h};
    reconnect.lost(0, now);
    for (int i = 0; i < 100; ++i) CHECK(reconnect.next(2, now + 59s).has_value());
    drawn = 0.5;  // 2.5 s
    CHECK_FALSE(reconnect.next(2, now + 59s).has_value());
    CHECK_FALSE(reconnect.next(2, now + 60s).has_value());
}
