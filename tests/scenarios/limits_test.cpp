// How many clients a gateway takes, and how much each may do in a second: the others are served meanwhile.
#include <catch2/catch.hpp>

#include "app/catalog.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/refusals.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

TEST_CASE("too many connections that have not entered are refused and players still get in", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> waiting;
    for (int count = 0; count < 40; ++count) waiting.push_back(std::make_unique<TestClient>(cluster));
    cluster.advance(10ms);
    int refused = 0;
    for (const auto& client : waiting) {
        if (client->is_open()) continue;
        ++refused;
        CHECK(client->server_hello().value().code == Code::busy);
        CHECK(client->server_hello()->message == "too many connections wait to log in");
    }
    CHECK(refused == 8);
    CHECK(rejected(cluster, "full") == 8);
    waiting.clear();
    cluster.advance(10ms);
    TestClient anna{cluster};
    CHECK(anna.enter(player(1)).has_value());
}

TEST_CASE("a gateway that is full says so", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.set("gateway.connections_max", std::int64_t{3});
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::uint64_t id = 1; id <= 3; ++id) {
        clients.push_back(std::make_unique<TestClient>(cluster));
        clients.back()->enter(player(id)).value();
    }
    TestClient fourth{cluster};
    const auto entered = fourth.enter(player(4));
    REQUIRE_FALSE(entered.has_value());
    CHECK(fourth.server_hello().value().message == "this gateway is full");
    check_served(*clients.front());
    clients.pop_back();
    cluster.advance(10ms);
    TestClient fifth{cluster};
    CHECK(fifth.enter(player(4)).has_value());
}

TEST_CASE("while memory is short a gateway accepts nobody, says so, and serves those who are in",
          "[scenario][NET-14]") {
    TestCluster cluster;
    cluster.set_memory("all", 94);
    cluster.start();
    TestClient anna{cluster, player(1)};
    cluster.set_memory("all", 95);
    cluster.advance(2s);
    CHECK(cluster.node("all").not_ready_because() == "role gateway accepts nobody, as memory runs out");
    TestClient bert{cluster};
    cluster.advance(2s);
    CHECK(cluster.metric("all", "gameserver_gateway_accepted_total") == 1);
    CHECK(cluster.metric("all", "gameserver_gateway_accept_pauses_total") > 0);
    check_served(anna);
    cluster.set_memory("all", 94);  // it does not change its mind at each percent
    cluster.advance(2s);
    CHECK(cluster.metric("all", "gameserver_gateway_accepted_total") == 1);
    cluster.set_memory("all", 92);
    cluster.advance(2s);
    CHECK(cluster.node("all").is_ready());
    CHECK(bert.enter(player(2)).has_value());
    check_served(anna);
}

TEST_CASE("with a bound of 100 percent memory is no reason to wait", "[scenario][NET-14]") {
    TestCluster cluster;
    cluster.set("gateway.memory_percent_max", std::int64_t{100});
    cluster.set_memory("all", 100);
    cluster.start();
    TestClient anna{cluster, player(1)};
    check_served(anna);
}

TEST_CASE("more requests in a second than allowed are answered limited", "[scenario][hostile]") {
    TestCluster cluster;
    cluster.set("gateway.messages_per_second_max", std::int64_t{20});
    cluster.start();
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    cluster.advance(1s);
    std::vector<std::uint64_t> ids;
    for (int count = 0; count < 50; ++count) ids.push_back(anna.send(echo::Echo{"flood"}));
    check_served(bert);
    int served = 0;
    for (const auto id : ids) {
        const auto answer = anna.answer<echo::Echo>(id);
        served += answer ? 1 : 0;
        if (!answer) CHECK(answer.error().code() == Code::limited);
    }
    CHECK(served == 20);
    CHECK(rejected(cluster, "rate") == 30);
    cluster.advance(1s);
    check_served(anna);
}

TEST_CASE("strangers and who sends too much are served after the players", "[scenario][hostile][NET-14]") {
    TestCluster cluster;
    cluster.set("gateway.messages_per_second_max", std::int64_t{20});
    cluster.start();
    TestClient anna{cluster};
    TestClient stranger{cluster};
    cluster.advance(1ms);
    CHECK(cluster.network().in_background() == 2);
    anna.enter(player(1)).value();
    CHECK(cluster.network().in_background() == 1);
    stranger.hello().value();
    CHECK(cluster.network().in_background() == 1);
    cluster.advance(1s);
    for (int count = 0; count < 50; ++count) static_cast<void>(anna.send(echo::Echo{"flood"}));
    cluster.advance(1ms);
    CHECK(cluster.network().in_background() == 2);
    cluster.advance(1s);
    check_served(anna);
    CHECK(cluster.network().in_background() == 2);  // until she keeps to the rate for a second
    cluster.advance(1s);
    check_served(anna);
    CHECK(cluster.network().in_background() == 1);
    stranger.disconnect();
    cluster.advance(1ms);
    CHECK(cluster.network().in_background() == 0);
}

TEST_CASE("very many clients are looked at in slices, and none is forgotten", "[scenario][hostile][NET-08][NET-12]") {
    TestCluster cluster;
    cluster.set("gateway.unauthenticated_per_address_max", std::int64_t{5000});
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> silent;
    for (int count = 0; count < 1200; ++count) silent.push_back(std::make_unique<TestClient>(cluster));
    const auto closed = [&] {
        return std::count_if(silent.begin(), silent.end(), [](const auto& client) { return !client->is_open(); });
    };
    REQUIRE(cluster.run_until([&] { return closed() > 0; }));
    cluster.advance(10ms);
    CHECK(closed() <= 100);
    REQUIRE(cluster.run_until([&] { return closed() == 1200; }, 2s));
}

TEST_CASE("a command may have a rate of its own", "[scenario][hostile][NET-14]") {
    TestCluster cluster;
    cluster.add_module(trial_module);
    cluster.set_rows("gateway.command_rate", 1);
    cluster.set("gateway.command_rate[0].command", std::int64_t{command_of<echo::Echo>});
    cluster.set("gateway.command_rate[0].per_second", std::int64_t{3});
    cluster.start();
    TestClient anna{cluster, player(1)};
    cluster.advance(1s);
    int served = 0;
    for (int count = 0; count < 10; ++count) {
        const auto answer = anna.request(echo::Echo{"flood"});
        served += answer ? 1 : 0;
        if (!answer) CHECK(answer.error().message() == "more than 3 requests of command 1000 in a second");
        CHECK(anna.request(CountGold{}));
    }
    CHECK(served == 3);
    CHECK(rejected(cluster, "rate") == 7);
    cluster.advance(1s);
    check_served(anna);
}

TEST_CASE("a rate is for a command of a module, and said once", "[scenario][hostile][NET-14]") {
    const auto complaint = [](const std::vector<std::int64_t>& commands) {
        SettingsTree tree;
        set_setting_rows(tree, "gateway.command_rate", commands.size());
        for (std::size_t row = 0; row < commands.size(); ++row)
            set_setting(tree, fmt::format("gateway.command_rate[{}].command", row), commands[row]);
        static_cast<void>(app::declare_all(tree, true, compiled_roles(), compiled_modules()));
        const auto checked = tree.finish();
        return checked ? std::string{} : checked.error().message();
    };
    CHECK(complaint({1000, 1200}).empty());
    CHECK(complaint({5}).find("needs a `command` of a module, 1000 or above") != std::string::npos);
    CHECK(complaint({1000, 1000}).find("names command 1000 twice") != std::string::npos);
}

TEST_CASE("a balancer's client is counted and banned by its own address",
          "[scenario][hostile][proxy][CLU-13][NET-14]") {
    TestCluster cluster;
    cluster.set("gateway.proxies", SettingList{std::string{"127.0.0.1"}});
    cluster.start();
    const auto connect = [&](TestClient& client, const std::string& address) {
        client.send_text(fmt::format("PROXY TCP4 {} 198.51.100.1 50000 7000\r\n", address));
    };
    TestClient anna{cluster}, bert{cluster};
    connect(anna, "192.0.2.1");
    connect(bert, "192.0.2.2");
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    cluster.call(Role::center, session::PutBan{{"address:192.0.2.1", "an attack", 0}}).value();
    REQUIRE(anna.wait_closed(1s));
    CHECK(bert.request(echo::Echo{"hello"}).value().text == "hello");

    TestClient direct{cluster};
    direct.send_text("GET / HTTP/1.1\r\n\r\n");
    CHECK(direct.wait_closed(1s));
    CHECK(direct.received().empty());
    CHECK(rejected(cluster, "foreign_protocol") == 1);
    TestClient silent{cluster};
    silent.send_text("PROXY TCP4 192.0");
    CHECK(silent.wait_closed(10s));
    TestClient health{cluster};
    health.send_text("PROXY UNKNOWN\r\n");
    CHECK(health.enter(player(3)));
}

TEST_CASE("who sends too many bytes is not read until the next second, and loses nothing",
          "[scenario][hostile][NET-14]") {
    TestCluster cluster;
    cluster.set("gateway.bytes_per_second_max", std::int64_t{64 * 1024});
    cluster.network().set_piece_bytes(4096);
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    std::vector<std::uint64_t> ids;
    for (int count = 0; count < 20; ++count) ids.push_back(anna.send(echo::Echo{std::string(10'000, 'x')}));
    TestClient bert{cluster};
    bert.enter(player(2)).value();
    CHECK(bert.request(echo::Echo{"hello"}).value().text == "hello");
    cluster.advance(100ms);
    const auto answered = std::count_if(ids.begin(), ids.end(), [&](auto id) { return anna.has_answer(id); });
    CHECK(answered >= 6);
    CHECK(answered <= 7);
    for (const auto id : ids) REQUIRE(anna.answer<echo::Echo>(id).value().text.size() == 10'000);
    CHECK(cluster.metric("all", "gameserver_client_throttled_total") == 2);
}
}  // namespace gs::scenarios
