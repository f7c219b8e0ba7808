// Two centers: each keeps its own players and channels, and the loss of one does not touch those of the other.
#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

namespace {

class TwoCenters : public TestCluster {
public:
    TwoCenters()
        : TestCluster{{{"center1", {Role::center}},
                       {"center2", {Role::center}},
                       {"gate1", {Role::gateway}},
                       {"gate2", {Role::gateway}},
                       {"rest", {Role::game, Role::storage}}}} {
        shards_.add(Role::center, "center1");
        shards_.add(Role::center, "center2");
        add_module(trial_module);
        start();
    }
    /// The players whom that center keeps, by number from 0.
    [[nodiscard]] PlayerId player_of(const std::string& center, int number = 0) const {
        for (std::uint64_t id = 1;; ++id) {
            if (shards_.keeper(Role::center, session::center_key(player(id))) == center && number-- == 0)
                return player(id);
        }
    }
    [[nodiscard]] std::string channel_of(const std::string& center) const {
        for (int number = 0;; ++number) {
            auto name = fmt::format("channel-{}", number);
            if (shards_.keeper(Role::center, session::center_key(name)) == center) return name;
        }
    }
    [[nodiscard]] double online(const std::string& center) { return metric(center, "gameserver_online_players"); }

private:
    cluster::Shards shards_;
};

}  // namespace

TEST_CASE("two centers share the players, and the loss of one stops nobody of the other", "[scenario][CEN-06]") {
    TwoCenters cluster;
    const auto first = cluster.player_of("center1"), second = cluster.player_of("center2");
    TestClient anna{cluster, "gate1"}, bert{cluster, "gate1"};
    anna.enter(first).value();
    bert.enter(second).value();
    bert.request(Deposit{5}).value();
    cluster.advance(2s);
    CHECK(cluster.online("center1") == 1);
    CHECK(cluster.online("center2") == 1);

    cluster.kill("center2");
    TestClient anna_again{cluster, "gate2"}, carl{cluster, "gate2"}, dora{cluster, "gate2"};
    anna_again.enter(first).value();
    REQUIRE(anna.wait_closed());
    CHECK(anna.goodbye()->code == Code::fenced);
    carl.enter(cluster.player_of("center1", 1)).value();
    const auto refused = dora.enter(cluster.player_of("center2", 1));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == Code::unavailable);
    CHECK(refused.error().message() == "the center that keeps this is not ready right now; try again in a moment");
    CHECK(bert.request(Deposit{1}).value().gold == 6);

    cluster.start();
    cluster.advance(2s);
    CHECK(bert.is_open());
    CHECK(cluster.online("center1") == 2);
    CHECK(cluster.online("center2") == 1);
    TestClient bert_again{cluster, "gate2"};
    bert_again.enter(second).value();
    REQUIRE(bert.wait_closed());
    CHECK(bert.goodbye()->code == Code::fenced);
    CHECK(bert_again.request(Deposit{1}).value().gold == 7);
}

TEST_CASE("a channel is ordered by the center that keeps it, whoever keeps the speaker", "[scenario][CEN-06][CEN-02]") {
    TwoCenters cluster;
    const auto market = cluster.channel_of("center1"), forum = cluster.channel_of("center2");
    const auto second = cluster.player_of("center2");
    TestClient anna{cluster, "gate1"}, bert{cluster, "gate2"};
    anna.enter(cluster.player_of("center1")).value();
    bert.enter(second).value();
    for (auto* client : {&anna, &bert}) {
        client->request(chat::Join{market}).value();
        client->request(chat::Join{forum}).value();
    }
    for (std::uint64_t line = 1; line <= 4; ++line) {
        auto& speaker = line % 2 == 0 ? anna : bert;
        CHECK(speaker.request(chat::Say{market, "hello"}).value().line == line);
        CHECK(speaker.request(chat::Say{forum, "hello"}).value().line == line);
    }
    for (auto* client : {&anna, &bert}) CHECK(client->pushes<chat::Said>().size() == 8);

    // A game that does not know of the player's newer connection: the speaker's own center is asked.
    session::ChannelAppend late;
    late.channel = market;
    late.command = command_of<chat::Said>;
    late.player = second;
    late.epoch = ConnectionEpoch{1};
    late.line = msgpack::encode(chat::Line{});
    const auto fenced = cluster.call_at("center1", Role::center, late);
    REQUIRE_FALSE(fenced.has_value());
    CHECK(fenced.error().code() == Code::fenced);

    cluster.kill("center2");
    CHECK(anna.request(chat::Say{market, "goes on"}).value().line == 5);
    CHECK(anna.request(chat::Say{forum, "nobody orders it"}).error().code() == Code::unavailable);
    CHECK(bert.request(chat::Say{market, "nobody knows me"}).error().code() == Code::unavailable);
    cluster.start();
    cluster.advance(2s);
    CHECK(bert.request(chat::Say{market, "again"}).value().line == 6);
    CHECK(anna.request(chat::Say{forum, "again"}).value().line > 4);
    CHECK(bert.pushes<chat::Said>().size() == 3);
}

}  // namespace gs::scenarios
