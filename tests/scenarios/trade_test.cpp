// A change of two players in two games, one of which dies at each of its points.
#include <catch2/catch.hpp>

#include "modules/trade/messages.hpp"
#include "tests/scenarios/cluster.hpp"

namespace gs::scenarios {

namespace {

struct Market {
    Market() { cluster.start(); }
    /// The game that holds the player; each has one of the two.
    [[nodiscard]] std::string game_of(PlayerId who) {
        session::Locate request;
        request.player = who;
        const auto game = cluster.call(Role::center, request).value().game;
        return cluster.node("game1").home_bus().group().self == game.node ? "game1" : "game2";
    }
    [[nodiscard]] std::uint64_t stored_gold(PlayerId who) {
        const auto purse = cluster.stored(who, "purse");
        const auto begin = purse.find(R"("gold":)");
        REQUIRE(begin != std::string::npos);
        return std::stoull(purse.substr(begin + 7));
    }

    TestCluster cluster{{{"front", {Role::gateway, Role::center}},
                         {"game1", {Role::game}},
                         {"game2", {Role::game}},
                         {"storage", {Role::storage}}}};
};

const auto anna_id = player(1), bert_id = player(2);

/// Kills a game after so many steps of a trade; false when the trade had been confirmed before that.
bool survives(bool kills_asker, int steps) {
    CAPTURE(kills_asker, steps);
    Market market;
    auto& cluster = market.cluster;
    TestClient anna{cluster, anna_id};
    TestClient bert{cluster, bert_id};
    const auto annas = market.game_of(anna_id), berts = market.game_of(bert_id);
    REQUIRE(annas != berts);

    const trade::Give give{bert_id, 30, "deal"};
    const auto asked = anna.send(give);
    int left = steps;
    REQUIRE(cluster.run_until([&] { return left-- == 0 || anna.has_answer(asked); }));
    const bool told = anna.has_answer(asked);
    if (told) CHECK(anna.answer<trade::Give>(asked).value().gold == 70);
    cluster.kill(kills_asker ? annas : berts);
    cluster.advance(10s);  // who was left alone has found out by then how it ended

    const auto of_anna = market.stored_gold(anna_id), of_bert = market.stored_gold(bert_id);
    CHECK(of_anna + of_bert == 200);
    CHECK((of_anna == 100 || of_anna == 70));
    if (told) CHECK(of_anna == 70);

    // Both go on in the game that is left, and the one who was not told asks again.
    TestClient anna_again{cluster, anna_id};
    TestClient bert_again{cluster, bert_id};
    CHECK(anna_again.request(trade::ShowBalance{}).value().gold == of_anna);
    CHECK(bert_again.request(trade::ShowBalance{}).value().gold == of_bert);
    CHECK(anna_again.request(give).value().gold == 70);
    CHECK(bert_again.request(trade::ShowBalance{}).value().gold == 130);
    CHECK(market.stored_gold(anna_id) == 70);
    CHECK(market.stored_gold(bert_id) == 130);
    return !told;
}

}  // namespace

TEST_CASE("a trade is whole or undone when a game dies: trade_atomic_under_kill", "[scenario][NEW-04][reliability]") {
    const bool kills_asker = GENERATE(true, false);
    int steps = 0;
    while (survives(kills_asker, steps)) ++steps;
    CHECK(steps >= 8);  // it has so many points
}

TEST_CASE("of two who ask each other at the same moment one is done and the other one is told to wait",
          "[scenario][NEW-04]") {
    Market market;
    auto& cluster = market.cluster;
    TestClient anna{cluster, anna_id};
    TestClient bert{cluster, bert_id};
    REQUIRE(market.game_of(anna_id) != market.game_of(bert_id));
    std::uint64_t of_anna = 100, of_bert = 100;
    for (int round = 0; round < 5; ++round) {
        const bool bert_first = round % 2 == 1;
        const auto of_first = bert_first ? bert.send(trade::Give{anna_id, 1}) : anna.send(trade::Give{bert_id, 1});
        const auto of_second = bert_first ? anna.send(trade::Give{bert_id, 1}) : bert.send(trade::Give{anna_id, 1});
        const auto began = cluster.time().now();
        const auto annas = anna.answer<trade::Give>(bert_first ? of_second : of_first);
        const auto berts = bert.answer<trade::Give>(bert_first ? of_first : of_second);
        CHECK(cluster.time().now() - began < 500ms);
        REQUIRE(annas.has_value());
        REQUIRE_FALSE(berts.has_value());
        CHECK(berts.error().code() == Code::busy);
        CHECK(market.stored_gold(anna_id) == --of_anna);
        CHECK(market.stored_gold(bert_id) == ++of_bert);
    }
}

TEST_CASE("of two who ask each other the one who waited already is refused when it must not wait",
          "[scenario][NEW-04]") {
    // Every point at which the second one may begin while the first one is under way: nobody waits for the other in vain.
    for (int steps = 0; steps < 40; ++steps) {
        for (const bool bert_first : {false, true}) {
            CAPTURE(steps, bert_first);
            Market market;
            auto& cluster = market.cluster;
            TestClient anna{cluster, anna_id};
            TestClient bert{cluster, bert_id};
            auto& first = bert_first ? bert : anna;
            auto& second = bert_first ? anna : bert;
            const auto began = cluster.time().now();
            const auto of_first = first.send(trade::Give{bert_first ? anna_id : bert_id, 1});
            int left = steps;
            static_cast<void>(cluster.run_until([&] { return left-- == 0; }, 1ms));
            const auto of_second = second.send(trade::Give{bert_first ? bert_id : anna_id, 1});
            const auto one = first.answer<trade::Give>(of_first);
            const auto other = second.answer<trade::Give>(of_second);
            CHECK(cluster.time().now() - began < 500ms);
            CHECK((one.has_value() || other.has_value()));
            for (const auto& answer : {one, other}) CHECK((answer.has_value() || answer.error().code() == Code::busy));
        }
    }
}

}  // namespace gs::scenarios
