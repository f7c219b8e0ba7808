// Compression, checksums and times of messages, between the C++ kit and a whole cluster.
#include "modules/chat/messages.hpp"
#include "tests/scenarios/kit_client.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

namespace {

double rejected(TestCluster& cluster, const std::string& reason) {
    return cluster.metric("all", "gameserver_client_rejected_total{reason=\"" + reason + "\"}");
}

}  // namespace

TEST_CASE("what is long is compressed for clients that can undo it", "[scenario][sealing][MSG-05]") {
    TestCluster cluster;
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
    CHECK(anna.received.size() - before.first >= 400);
    CHECK(rejected(cluster, "compression") == 0);
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
    CHECK(anna.finish_echo() == "the request came more than 500 ms late");
    CHECK(rejected(cluster, "stale") == 1);
    CHECK(anna.echo("in time again") == "in time again");
    KitClient silent{cluster, {}, {}, 0};  // says no times
    REQUIRE(silent.enter(player(2)));
    CHECK(silent.echo("whenever") == "whenever");
}

}  // namespace gs::scenarios
