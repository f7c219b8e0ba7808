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
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
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

TEST_CASE("a deal is done once however often it is asked for", "[trade][NEW-04]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    CHECK(anna.request(Give{player(2), 30, "one"}).value().gold == 70);
    CHECK(anna.request(Give{player(2), 30, "one"}).value().gold == 70);
    CHECK(anna.request(Give{player(2), 80, "one"}).value().gold == 70);
    CHECK(anna.request(Give{player(2), 80, "two"}).error().code() == Code::conflict);
    CHECK(bert.request(Give{player(1), 1, "one"}).error().code() == Code::conflict);
    CHECK(anna.request(Give{player(2), 70, "two"}).value().gold == 0);  // a refused one was not done
    CHECK(anna.request(Give{player(2), 1, std::string(101, 'x')}).error().code() == Code::invalid);
    CHECK(bert.request(ShowBalance{}).value().gold == 200);
}

TEST_CASE("two who give each other at once end with what they had, or one is told to try again", "[trade][NEW-04]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
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

TEST_CASE("a gift that is stored is done, whatever storage says when it is asked again: trade_atomic_under_kill",
          "[trade][NEW-04][reliability]") {
    TestCluster cluster{{{"front", {gs::Role::gateway, gs::Role::login, gs::Role::center}},
                         {"game", {gs::Role::game}},
                         {"storage", {gs::Role::storage}}}};
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    const std::string operations = "gameserver_storage_operations_total";
    const auto before = cluster.metric("storage", operations);
    const auto gift = anna.send(Give{player(2), 30});
    REQUIRE(cluster.run_until([&] { return cluster.metric("storage", operations) > before; }));
    cluster.cut_links("storage", true);  // it is stored, and nobody hears of that

    const auto new_owner = [&](std::uint64_t id) {
        static_cast<void>(cluster.call(gs::Role::storage, gs::storage::Open{{"player", id}}).value());
    };
    const auto enters_with = [&](std::uint64_t id) {
        TestClient again{cluster};
        again.enter(player(id)).value();
        return again.request(ShowBalance{}).value().gold;
    };
    SECTION("the other player has a new owner") {
        new_owner(2);
        cluster.cut_links("storage", false);
        CHECK(anna.answer<Give>(gift).value().gold == 70);
        CHECK(anna.request(Give{player(2), 200}).error().code() == Code::conflict);
    }
    SECTION("the one who gives has a new owner") {
        new_owner(1);
        cluster.advance(std::chrono::milliseconds{500});
        cluster.cut_links("storage", false);
        REQUIRE(anna.wait_closed());
        CHECK_FALSE(anna.has_answer(gift));
        CHECK(bert.request(ShowBalance{}).value().gold == 130);
    }
    CHECK(enters_with(1) == 70);
    CHECK(enters_with(2) == 130);
}

}  // namespace trade
