#include "client/bots/chat_check.hpp"

#include <catch2/catch.hpp>

using namespace gs;
using namespace gs::bots;

namespace {

constexpr PlayerId self{1}, other{2};

struct Member {
    std::vector<std::string> problems;
    Problem tell = [this](std::string problem) { problems.push_back(std::move(problem)); };
    ChannelCheck check{tell, tell};
    void hear(std::uint64_t number, PlayerId from = other, std::string text = "x") {
        check.received({number, from, std::move(text)});
    }
};

}  // namespace

TEST_CASE("bots chat check: a good conversation has no problems", "[client][TOL-03]") {
    Member member;
    member.hear(4);  // before the reply to the join, and part of it
    member.check.joined(self, {{3, other, "a"}, {4, other, "x"}});
    member.hear(5);
    member.check.saying("mine");
    SECTION("the line before the reply") {
        member.hear(6, self, "mine");
        member.check.confirmed("mine", 6);
    }
    SECTION("the reply before the line") {
        member.check.confirmed("mine", 6);
        CHECK(member.check.missing() == 1);
        member.hear(6, self, "mine");
    }
    member.hear(7);
    CHECK(member.check.missing() == 0);
    CHECK(member.problems.empty());
}

TEST_CASE("bots chat check: lost doubled and swapped lines are found", "[client][TOL-03]") {
    Member member;
    member.check.joined(self, {{1, other, "a"}});
    member.hear(2);
    SECTION("lost") {
        member.hear(4);
        REQUIRE(member.problems.size() == 1);
        CHECK(member.problems[0] == "line 4 came where 3 was expected: 1 lost");
    }
    SECTION("doubled") {
        member.hear(2);
        REQUIRE(member.problems.size() == 1);
        CHECK(member.problems[0].find("doubled") != std::string::npos);
    }
    SECTION("swapped") {
        member.hear(4);
        member.hear(3);
        CHECK(member.problems.size() == 2);
    }
    SECTION("a line of the join twice") {
        member.hear(1);
        CHECK(member.problems.empty());
        member.hear(1);
        CHECK(member.problems.size() == 1);
    }
}

TEST_CASE("bots chat check: own lines that are changed doubled or lost are found", "[client][TOL-03]") {
    Member member;
    member.check.joined(self, {});
    member.check.saying("mine");
    SECTION("another text") {
        member.hear(1, self, "not mine");
        CHECK(member.problems.size() == 1);
    }
    SECTION("twice") {
        member.check.confirmed("mine", 1);
        member.hear(1, self, "mine");
        member.hear(2, self, "mine");
        CHECK(member.problems.size() == 1);
    }
    SECTION("twice before the reply") {
        member.hear(1, self, "mine");
        member.hear(2, self, "mine");
        CHECK(member.problems.size() == 1);
    }
    SECTION("another number") {
        member.check.confirmed("mine", 2);
        member.hear(1, self, "mine");
        CHECK(member.problems.size() == 1);
    }
    SECTION("never") {
        member.check.confirmed("mine", 1);
        CHECK(member.check.missing() == 1);
    }
    SECTION("refused yet said") {
        member.check.not_said("mine");
        member.hear(1, self, "mine");
        CHECK(member.problems.size() == 1);
    }
    SECTION("replies that go back") {
        member.check.confirmed("mine", 5);
        member.check.saying("more");
        member.check.confirmed("more", 4);
        CHECK(member.problems.size() == 1);
    }
}

TEST_CASE("bots chat check: each join begins anew", "[client][TOL-03]") {
    Member member;
    member.check.joined(self, {{1, other, "a"}});
    member.check.saying("confirmed");
    member.check.confirmed("confirmed", 2);
    member.check.saying("unanswered");
    member.check.left();
    CHECK(member.check.missing() == 0);
    member.check.joined(self, {{8, other, "h"}, {9, self, "confirmed"}});
    member.hear(10, self, "unanswered");
    member.hear(11);
    CHECK(member.problems.empty());
    member.hear(13);
    CHECK(member.problems.size() == 1);
}

TEST_CASE("bots chat check: lost lines are told apart where crashes may lose them", "[client][TOL-03]") {
    int gaps = 0;
    std::vector<std::string> problems;
    ChannelCheck check{[&](std::string problem) { problems.push_back(std::move(problem)); },
                       [&](const std::string&) { ++gaps; }};
    check.joined(self, {{1, other, "a"}, {1000, other, "b"}});
    check.received({2000, other, "c"});
    CHECK(gaps == 2);
    CHECK(problems.empty());
    check.received({2000, other, "c"});
    CHECK(gaps == 2);
    CHECK(problems.size() == 1);
}

TEST_CASE("bots chat check: a join whose last lines have a hole", "[client][TOL-03]") {
    Member member;
    member.check.joined(self, {{1, other, "a"}, {3, other, "c"}});
    CHECK(member.problems.size() == 1);
}

TEST_CASE("bots whisper check: once and in order", "[client][TOL-03]") {
    std::vector<std::string> problems;
    WhisperCheck strict{[&](std::string problem) { problems.push_back(std::move(problem)); }, false};
    strict.received(1);
    strict.received(2);
    CHECK(problems.empty());
    SECTION("doubled") { strict.received(2); }
    SECTION("lost") { strict.received(4); }
    CHECK(problems.size() == 1);
}

TEST_CASE("bots whisper check: gaps are allowed when losses are", "[client][TOL-03]") {
    std::vector<std::string> problems;
    WhisperCheck surviving{[&](std::string problem) { problems.push_back(std::move(problem)); }, true};
    surviving.received(3);
    CHECK(problems.empty());
    surviving.received(3);
    CHECK(problems.size() == 1);
}

TEST_CASE("bots whisper check: what the sender is unsure of may be missing or doubled", "[client][TOL-03][SES-07]") {
    std::vector<std::string> problems;
    WhisperCheck strict{[&](std::string problem) { problems.push_back(std::move(problem)); }, false};
    const std::set<std::uint64_t> unsure{2, 3, 5};
    strict.received(1, unsure);
    strict.received(4, unsure);
    strict.received(5, unsure);
    strict.received(5, unsure);
    CHECK(problems.empty());
    SECTION("one that is missing for no reason") { strict.received(7, unsure); }
    SECTION("one that is doubled for no reason") { strict.received(4, unsure); }
    CHECK(problems.size() == 1);
}

TEST_CASE("bots whisper check: a lost session excuses one hole", "[client][TOL-03][SES-07]") {
    std::vector<std::string> problems;
    WhisperCheck strict{[&](std::string problem) { problems.push_back(std::move(problem)); }, false};
    strict.received(1);
    strict.interrupted();
    strict.received(10);
    CHECK(problems.empty());
    strict.received(12);
    CHECK(problems.size() == 1);
}
