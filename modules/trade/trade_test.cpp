#include <catch2/catch.hpp>

#include "modules/trade/messages.hpp"
#include "tests/scenarios/cluster.hpp"

namespace trade {

using gs::Code;
using gs::scenarios::player;
using gs::scenarios::TestClient;
using gs::scenarios::TestCluster;

TEST_CASE("gold that is given is here or there, never both and never nowhere", "[trade][NEW-04]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    CHECK(anna.request(ShowBalance{}).value().gold == 100);
    CHECK(anna.request(Give{player(2), 30}).value().gold == 70);
    CHECK(bert.request(ShowBalance{}).value().gold == 130);
    CHECK(anna.request(Give{player(2), 71}).error().code() == Code::conflict);
    CHECK(anna.request(Give{player(2), 0}).error().code() == Code::invalid);
    CHECK(anna.request(Give{player(1), 1}).error().code() == Code::invalid);
    CHECK(anna.request(Give{player(9), 1}).error().code() == Code::not_found);
    CHECK(anna.request(ShowBalance{}).value().gold == 70);
    CHECK(bert.request(ShowBalance{}).value().gold == 130);
}

TEST_CASE("two who give each other at once end with what they had, or one is told to try again", "[trade][NEW-04]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster};
    TestClient bert{cluster};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    const auto one = anna.send(Give{player(2), 10});
    const auto two = bert.send(Give{player(1), 10});
    const auto first = anna.answer<Give>(one);
    const auto second = bert.answer<Give>(two);
    if (!first) CHECK(first.error().code() == Code::busy);
    if (!second) CHECK(second.error().code() == Code::busy);
    const auto annas = anna.request(ShowBalance{}).value().gold;
    const auto berts = bert.request(ShowBalance{}).value().gold;
    CHECK(annas + berts == 200);
    CHECK(annas == 100 - (first ? 10U : 0U) + (second ? 10U : 0U));
}

}  // namespace trade
