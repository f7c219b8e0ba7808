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
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(anna_id).value();
    bert.enter(bert_id).value();
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
    TestClient anna_again{cluster};
    TestClient bert_again{cluster};
    anna_again.enter(anna_id).value();
    bert_again.enter(bert_id).value();
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

}  // namespace gs::scenarios
