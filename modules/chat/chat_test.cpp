#include <catch2/catch.hpp>

#include "modules/chat/messages.hpp"
#include "tests/scenarios/cluster.hpp"

namespace chat {

using gs::Code;
using gs::scenarios::player;
using gs::scenarios::TestClient;
using gs::scenarios::TestCluster;
using namespace std::chrono_literals;

TEST_CASE("a channel delivers every line to its members in one order without gaps", "[chat][RTE-06]") {
    TestCluster cluster{{{"center", {gs::Role::center, gs::Role::storage}},
                         {"game1", {gs::Role::game}},
                         {"game2", {gs::Role::game}},
                         {"gate1", {gs::Role::gateway}},
                         {"gate2", {gs::Role::gateway}}}};
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> members;
    for (std::uint64_t id = 1; id <= 4; ++id) {
        members.push_back(std::make_unique<TestClient>(cluster, id % 2 == 0 ? "gate1" : "gate2"));
        members.back()->enter(player(id)).value();
        CHECK(members.back()->request(Join{"market"}).value().last_lines.empty());
    }
    TestClient stranger{cluster};
    stranger.enter(player(9)).value();
    for (int round = 0; round < 10; ++round) {
        for (auto& member : members) member->send(Say{"market", fmt::format("round {}", round)});
    }
    cluster.advance(1s);
    const auto first = members[0]->pushes<Said>();
    REQUIRE(first.size() == 40);
    for (std::size_t index = 0; index < first.size(); ++index) {
        CHECK(first[index].channel == "market");
        CHECK(first[index].line.number == index + 1);
    }
    for (std::size_t member = 1; member < members.size(); ++member) {
        const auto lines = members[member]->pushes<Said>();
        REQUIRE(lines.size() == first.size());
        for (std::size_t index = 0; index < lines.size(); ++index) {
            CHECK(lines[index].line.number == first[index].line.number);
            CHECK(lines[index].line.from == first[index].line.from);
        }
    }
    CHECK(stranger.pushes<Said>().empty());
}

TEST_CASE("who joins a channel gets its last lines and who leaves gets no more", "[chat][RTE-06]") {
    TestCluster cluster;
    cluster.set("module.chat.lines_kept", std::int64_t{3});
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    anna.request(Join{"market"}).value();
    for (int line = 1; line <= 5; ++line) anna.request(Say{"market", fmt::format("line {}", line)}).value();

    TestClient bert{cluster};
    bert.enter(player(2)).value();
    const auto joined = bert.request(Join{"market"}).value();
    REQUIRE(joined.last_lines.size() == 3);
    CHECK(joined.last_lines.front().text == "line 3");
    CHECK(joined.last_lines.back().number == 5);
    CHECK(anna.request(Say{"market", "line 6"}).value().line == 6);
    REQUIRE(bert.pushes<Said>().size() == 1);
    bert.request(Leave{"market"}).value();
    anna.request(Say{"market", "line 7"}).value();
    CHECK(bert.pushes<Said>().empty());
    CHECK(anna.pushes<Said>().size() == 7);

    // A connection that ends leaves its channels too.
    anna.disconnect();
    cluster.advance(2s);
    TestClient again{cluster};
    again.enter(player(1)).value();
    bert.request(Join{"market"}).value();
    CHECK(bert.request(Say{"market", "line 8"}).value().line > 7);
    CHECK(again.pushes<Said>().empty());
    CHECK(bert.pushes<Said>().size() == 1);
}

TEST_CASE("a whisper reaches the one it is for and nobody else", "[chat][RTE-07]") {
    TestCluster cluster{{{"center", {gs::Role::center, gs::Role::storage}},
                         {"game1", {gs::Role::game}},
                         {"game2", {gs::Role::game}},
                         {"gate1", {gs::Role::gateway}},
                         {"gate2", {gs::Role::gateway}}}};
    cluster.start();
    TestClient anna{cluster, "gate1"};
    TestClient bert{cluster, "gate2"};
    TestClient cleo{cluster, "gate2"};
    anna.enter(player(1)).value();
    bert.enter(player(2)).value();
    cleo.enter(player(3)).value();
    for (int number = 1; number <= 10; ++number) anna.request(Whisper{player(2), fmt::format("{}", number)}).value();
    cluster.advance(1s);
    const auto heard = bert.pushes<Whispered>();
    REQUIRE(heard.size() == 10);
    for (std::size_t index = 0; index < heard.size(); ++index) {
        CHECK(heard[index].from == player(1));
        CHECK(heard[index].text == fmt::format("{}", index + 1));
    }
    CHECK(anna.pushes<Whispered>().empty());
    CHECK(cleo.pushes<Whispered>().empty());
    CHECK(anna.request(Whisper{player(99), "nobody"}).has_value());  // is not online: dropped
}

TEST_CASE("a line is bounded in size and rate and channels in their names", "[chat][hostile]") {
    TestCluster cluster;
    cluster.set("module.chat.lines_per_second", std::int64_t{10});
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    CHECK(anna.request(Say{"market", std::string(501, 'x')}).error().message() ==
          "a line has 1 to 500 bytes, this one 501");
    CHECK(anna.request(Say{"market", ""}).error().code() == Code::invalid);
    CHECK(anna.request(Whisper{player(1), std::string(501, 'x')}).error().code() == Code::invalid);
    CHECK(anna.request(Join{std::string(65, 'x')}).error().message() ==
          "a channel's name has 1 to 64 bytes, this one 65");
    CHECK(anna.request(Join{""}).error().code() == Code::invalid);

    int said = 0;
    for (int line = 0; line < 50; ++line) {
        const auto answer = anna.request(Say{"market", "quick"});
        said += answer ? 1 : 0;
        if (!answer) CHECK(answer.error().code() == Code::limited);
    }
    CHECK(said >= 10);
    CHECK(said <= 12);
    cluster.advance(2s);
    CHECK(anna.request(Say{"market", "slow"}).has_value());
}

TEST_CASE("a player is in a hundred channels at most", "[chat][hostile][RTE-06]") {
    TestCluster cluster;
    cluster.start();
    {
        TestClient anna{cluster};
        anna.enter(player(1)).value();
        for (int number = 0; number < 100; ++number) anna.request(Join{fmt::format("channel {}", number)}).value();
        const auto refused = anna.request(Join{"one more"});
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code() == Code::limited);
        CHECK(refused.error().message() == "a player can be in 100 channels at once");
        CHECK(anna.request(Say{"one more", "not a member"}).has_value());
        CHECK(anna.pushes<Said>().empty());

        anna.request(Leave{"channel 7"}).value();
        CHECK(anna.request(Join{"one more"}).has_value());
        CHECK(anna.request(Join{"channel 7"}).error().code() == Code::limited);
    }
    cluster.advance(2s);
    TestClient again{cluster};  // a new connection is in none
    again.enter(player(1)).value();
    for (int number = 0; number < 100; ++number) again.request(Join{fmt::format("other {}", number)}).value();
    CHECK(again.request(Join{"one more"}).error().code() == Code::limited);
}

TEST_CASE("the lines of a channel survive a stop of all nodes but storage", "[chat][RTE-06]") {
    TestCluster cluster{
        {{"play", {gs::Role::gateway, gs::Role::center, gs::Role::game}}, {"storage", {gs::Role::storage}}}};
    cluster.start();
    std::uint64_t last = 0;
    {
        TestClient anna{cluster};
        anna.enter(player(1)).value();
        anna.request(Join{"market"}).value();
        for (int line = 1; line <= 3; ++line)
            last = anna.request(Say{"market", fmt::format("line {}", line)}).value().line;
    }
    REQUIRE(cluster.stop("play"));
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    const auto joined = anna.request(Join{"market"}).value();
    REQUIRE(joined.last_lines.size() == 3);
    CHECK(joined.last_lines.back().text == "line 3");
    CHECK(anna.request(Say{"market", "next"}).value().line > last);
}

}  // namespace chat
