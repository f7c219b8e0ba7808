#include <catch2/catch.hpp>

#include "modules/profile/messages.hpp"
#include "tests/scenarios/cluster.hpp"

namespace profile {

using gs::Code;
using gs::scenarios::player;
using gs::scenarios::TestClient;
using gs::scenarios::TestCluster;
using namespace std::chrono_literals;

TEST_CASE("of two players who claim one nickname at once one gets it", "[profile][STO-02]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    const auto one = anna.send(SetNickname{"phoenix"});
    const auto two = bert.send(SetNickname{"phoenix"});
    const auto first = anna.answer<SetNickname>(one);
    const auto second = bert.answer<SetNickname>(two);
    REQUIRE(first.has_value() != second.has_value());
    CHECK((first ? second : first).error().code() == Code::conflict);
    auto& winner = first ? anna : bert;
    auto& loser = first ? bert : anna;
    CHECK(winner.request(ViewOwnProfile{}).value().shown.nickname == "phoenix");
    CHECK(loser.request(ViewOwnProfile{}).value().shown.nickname.empty());
    CHECK(loser.request(SetNickname{"phoenix"}).error().message() == "\"phoenix\" is taken");
    CHECK(loser.request(SetNickname{"griffin"}).has_value());
}

TEST_CASE("a new nickname gives the old one free", "[profile]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    for (int round = 0; round < 3; ++round) {
        anna.request(SetNickname{"phoenix"}).value();
        CHECK(bert.request(SetNickname{"phoenix"}).error().code() == Code::conflict);
        anna.request(SetNickname{"griffin"}).value();
        bert.request(SetNickname{"phoenix"}).value();
        CHECK(anna.request(SetNickname{"phoenix"}).error().code() == Code::conflict);
        CHECK(anna.request(ViewOwnProfile{}).value().shown.nickname == "griffin");
        bert.request(SetNickname{fmt::format("another {}", round)}).value();
    }
}

TEST_CASE("others see the public fields only, also of players who are not online", "[profile]") {
    TestCluster cluster;
    cluster.start();
    TestClient bert{cluster, player(2)};
    {
        TestClient anna{cluster, player(1)};
        anna.request(SetNickname{"phoenix"}).value();
        anna.request(SetMotto{"per aspera"}).value();
        anna.request(SetEmail{"anna@example.org"}).value();
        CHECK(anna.request(ViewOwnProfile{}).value().email == "anna@example.org");
        CHECK(bert.request(ViewProfile{player(1)}).value().motto == "per aspera");
    }
    cluster.advance(2s);
    const auto seen = bert.request(ViewProfile{player(1)}).value();
    CHECK(seen.nickname == "phoenix");
    CHECK(seen.motto == "per aspera");
    CHECK(bert.received().find("anna@example.org") == std::string_view::npos);
    CHECK(bert.request(ViewProfile{player(77)}).value().nickname.empty());
}

TEST_CASE("a nickname has no control characters and no blanks at its ends", "[profile][hostile][GPL-01]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    using namespace std::string_literals;
    for (const auto& bad : {"an\na"s, "anna\n"s, "\tanna"s, "an\0na"s, "an\x1b[31mna"s, "anna\x7f"s, "an\xc2\x85na"s,
                            "anna\xc2\x9f"s, "\xc2\x80na"s}) {
        CAPTURE(bad);
        const auto refused = anna.request(SetNickname{bad});
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code() == Code::invalid);
        CHECK(refused.error().message() == "a nickname has no tabs, line breaks or other control characters");
    }
    for (const auto& bad : {" anna"s, "anna "s, "   "s}) {
        CHECK(anna.request(SetNickname{bad}).error().message() ==
              "a nickname has 3 to 60 bytes and no space at its ends");
    }
    CHECK(anna.request(ViewOwnProfile{}).value().shown.nickname.empty());
    for (const auto& good : {"Anna K"s, "\xc3\x84nne"s, "\xe5\xae\x89\xe5\xa8\x9c"s, "a\xc2\xa0na"s}) {
        CAPTURE(good);
        CHECK(anna.request(SetNickname{good}).has_value());
    }
}

TEST_CASE("values against the rules are refused with the rule", "[profile][hostile]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    for (const auto* bad : {"", "ab", " abc", "abc "}) {
        CHECK(anna.request(SetNickname{bad}).error().message() ==
              "a nickname has 3 to 60 bytes and no space at its ends");
    }
    CHECK(anna.request(SetMotto{std::string(201, 'x')}).error().message() ==
          "a motto has at most 200 bytes, this one 201");
    CHECK(anna.request(SetEmail{"nobody"}).error().code() == Code::invalid);
    const auto own = anna.request(ViewOwnProfile{}).value();
    CHECK(own.shown.nickname.empty());
    CHECK(own.shown.motto.empty());
    CHECK(own.email.empty());
}

}  // namespace profile
