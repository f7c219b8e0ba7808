#include <array>
#include <memory>

#include <catch2/catch.hpp>

#include "runtime/job.hpp"

using gs::runtime::Job;

TEST_CASE("a job runs what it was given", "[runtime][NET-15]") {
    int ran = 0;
    Job job{[&] { ++ran; }};
    REQUIRE(job);
    job();
    job();
    CHECK(ran == 2);
    CHECK_FALSE(Job{});
}

TEST_CASE("a job holds what cannot be copied and gives it back once", "[runtime][NET-15]") {
    auto counted = std::make_shared<int>(0);
    std::array<char, 200> large{};
    large[199] = 7;
    const auto check = [&](auto function) {
        const auto before = counted.use_count();
        Job first{std::move(function)};
        Job second{std::move(first)};
        CHECK_FALSE(first);
        Job third;
        third = std::move(second);
        CHECK_FALSE(second);
        third();
        CHECK(counted.use_count() == before);
        third = Job{};
        CHECK(counted.use_count() == before - 1);
    };
    SECTION("inside the job") {
        check([counted, own = std::make_unique<int>(1)] { *counted += *own; });
        CHECK(*counted == 1);
    }
    SECTION("on the heap") {
        check([counted, large, own = std::make_unique<int>(1)] { *counted += *own + large[199]; });
        CHECK(*counted == 8);
    }
    CHECK(counted.use_count() == 1);
}

TEST_CASE("assigning a job drops the one before", "[runtime][NET-15]") {
    const auto counted = std::make_shared<int>(0);
    Job job{[counted] {}};
    CHECK(counted.use_count() == 2);
    job = Job{[] {}};
    CHECK(counted.use_count() == 1);
    auto& same = job;
    job = std::move(same);
    CHECK(job);
}
