// Compression, checksums and times of messages, between the C++ kit and a whole cluster.
#include "modules/chat/messages.hpp"
#include "modules/profile/messages.hpp"
#include "tests/scenarios/kit_client.hpp"
#include "tests/scenarios/refusals.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

TEST_CASE("what is long is compressed for clients that can undo it", "[scenario][sealing][MSG-05]") {
    TestCluster cluster;
    cluster.set("gateway.compress_from", std::int64_t{300});
    cluster.start();
    KitClient anna{cluster};
    KitClient bert{cluster, {}, {}, 0};
    REQUIRE(anna.enter(player(1)));
    REQUIRE(bert.enter(player(2)));
    const std::string text(10'000, 'b');
    CHECK(anna.echo(text) == text);
    CHECK(anna.sent.size() < 2000);
    CHECK(anna.received.size() < 2000);
    CHECK(bert.echo(text) == text);
    CHECK(bert.sent.size() > 10'000);
    CHECK(bert.received.size() > 10'000);
    // A line of a channel goes to both, to each in its way.
    for (auto* client : {&anna, &bert}) client->send(chat::Join{"lobby"});
    const auto before = std::pair{anna.received.size(), bert.received.size()};
    bert.send(chat::Say{"lobby", std::string(400, 'c')});
    CHECK(anna.pushes == std::vector<Command>{command_of<chat::Said>});
    CHECK(bert.pushes == std::vector<Command>{command_of<chat::Said>});
    CHECK(anna.received.size() - before.first < 300);
    CHECK(bert.received.size() - before.second > 400);
    CHECK(rejected(cluster, "compression") == 0);
}

TEST_CASE("a secret request is not compressed, also in a fresh session", "[scenario][sealing][MSG-05]") {
    TestCluster cluster;
    cluster.start();
    KitClient anna{cluster};
    REQUIRE(anna.enter(player(1)));
    const std::string email = "anna@" + std::string(3000, 'x') + ".example";
    const auto shown = [&](const auto& request) {
        const auto before = anna.sent.size();
        anna.send(request);
        return as_text(anna.sent).find(email, before) != std::string_view::npos;
    };
    CHECK(shown(profile::SetEmail{email}));
    CHECK_FALSE(shown(profile::SetMotto{email}));
}

TEST_CASE("what is compressed counts as what it is", "[scenario][sealing][NET-14]") {
    TestCluster cluster;
    cluster.set("gateway.bytes_per_second_max", std::int64_t{64 * 1024});
    cluster.start();
    KitClient anna{cluster};
    REQUIRE(anna.enter(player(1)));
    cluster.advance(2s);
    for (int count = 0; count < 10; ++count) anna.send(echo::Echo{std::string(15'000, 'x')});
    CHECK(anna.sent.size() < 5000);
    cluster.advance(100ms);
    CHECK(cluster.metric("all", "gameserver_client_throttled_total") >= 1);
}

TEST_CASE("every message has a checksum when operators want that", "[scenario][sealing][MSG-08]") {
    TestCluster cluster;
    cluster.set("gateway.checksum", true);
    cluster.start();
    KitClient anna{cluster};
    REQUIRE(anna.enter(player(1)));
    CHECK(anna.echo("checked") == "checked");
    CHECK(anna.echo(std::string(5000, 'x')) == std::string(5000, 'x'));
    SECTION("one that changed on its way to the server ends the connection, and is counted") {
        anna.spoiled_sent = anna.sent.size() + 12;
        CHECK(anna.echo("changed") != "changed");
        CHECK(rejected(cluster, "checksum") == 1);
        CHECK(anna.why == "away: the checksum of a message is wrong");
    }
    SECTION("one that changed on its way to the client makes it resume") {
        anna.spoiled_received = anna.received.size() + 12;
        CHECK(anna.echo("changed") != "changed");
        CHECK(anna.why == "away: the checksum of a message is wrong");
    }
}

TEST_CASE("a request that was on the way for too long is not done", "[scenario][sealing][MSG-09]") {
    TestCluster cluster;
    cluster.set("gateway.message_age_max_ms", std::int64_t{500});
    cluster.start();
    KitClient anna{cluster};
    REQUIRE(anna.enter(player(1)));
    CHECK(anna.echo("in time") == "in time");
    anna.hold_sent = true;
    anna.begin_echo("late");
    cluster.advance(600ms);
    anna.hold_sent = false;
    const auto done = [&] { return cluster.metric("all", R"(gameserver_request_seconds_count{command="Echo"})"); };
    const auto before = done();
    CHECK(anna.finish_echo() == "the request came more than 500 ms late");
    CHECK(done() == before);
    CHECK(rejected(cluster, "stale") == 1);
    CHECK(anna.echo("in time again") == "in time again");
    SECTION("a clock that stood still makes the client connect anew") {
        anna.clock_behind = 20s;
        for (int count = 0; count < 5; ++count) CHECK(anna.echo("late") != "late");
        CHECK(anna.why == "away: one request after the other came more than 500 ms late");
    }
    SECTION("one that goes wrong slowly is followed") {
        for (int minute = 0; minute < 20; ++minute) {
            anna.clock_behind += 100ms;
            for (int part = 0; part < 6; ++part) {
                cluster.advance(10s);
                REQUIRE(anna.echo("in time") == "in time");
            }
        }
    }
    KitClient silent{cluster, {}, {}, 0};  // says no times
    REQUIRE(silent.enter(player(2)));
    CHECK(silent.echo("whenever") == "whenever");
}

}  // namespace gs::scenarios
