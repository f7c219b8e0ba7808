#include <sys/resource.h>

#include <algorithm>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/epoll_loop.hpp"
#include "runtime/pool.hpp"
#include "runtime/virtual_loop.hpp"

using namespace gs;
using namespace gs::runtime;
using namespace std::chrono_literals;

namespace {

Task<> collect(Future<Result<int>> future, std::vector<Result<int>>* into, EpollLoop* loop, std::size_t stop_at) {
    auto result = co_await std::move(future);
    into->push_back(std::move(result));
    if (into->size() == stop_at) loop->stop();
}

}  // namespace

TEST_CASE("blocking work runs elsewhere and answers on the loop", "[runtime][NET-15]") {
    EpollLoop loop{"test", 1};
    BlockingPool pool{{2, 16}};
    Tasks tasks;
    std::vector<Result<int>> results;
    const auto here = std::this_thread::get_id();
    loop.after(30s, [&] { loop.stop(); });
    for (int number = 0; number < 3; ++number) {
        tasks.spawn(
            collect(pool.run(loop, [here] { return std::this_thread::get_id() == here ? 1 : 2; }), &results, &loop, 3),
            "collect");
    }
    CHECK(results.empty());
    loop.run();
    REQUIRE(results.size() == 3);
    for (const auto& result : results) CHECK(result.value() == 2);
}

TEST_CASE("blocking work gives way to the loops", "[runtime][NET-15]") {
    EpollLoop loop{"test", 1};
    BlockingPool pool{{1, 16}};
    Tasks tasks;
    std::vector<Result<int>> results;
    const auto niceness = [] { return ::getpriority(PRIO_PROCESS, 0); };  // of the thread that asks
    const auto here = niceness();
    loop.after(30s, [&] { loop.stop(); });
    tasks.spawn(collect(pool.run(loop, niceness), &results, &loop, 1), "collect");
    loop.run();
    REQUIRE(results.size() == 1);
    CHECK(results[0].value() == std::min(here + 10, 19));
    CHECK(niceness() == here);
}

TEST_CASE("a full pool answers busy at once", "[runtime][NET-15]") {
    EpollLoop loop{"test", 1};
    std::promise<void> started;
    std::promise<void> gate;
    auto opened = gate.get_future().share();
    BlockingPool pool{{1, 1}};
    Tasks tasks;
    std::vector<Result<int>> results;
    tasks.spawn(collect(pool.run(loop,
                                 [&, opened] {
                                     started.set_value();
                                     opened.wait();
                                     return 1;
                                 }),
                        &results, &loop, 3),
                "first");
    started.get_future().wait();
    tasks.spawn(collect(pool.run(loop, [] { return 2; }), &results, &loop, 3), "second");
    CHECK(pool.depth() == 1);
    CHECK(results.empty());
    tasks.spawn(collect(pool.run(loop, [] { return 3; }), &results, &loop, 3), "third");
    REQUIRE(results.size() == 1);
    CHECK(results[0].error().code() == Code::busy);
    gate.set_value();
    loop.after(30s, [&] { loop.stop(); });
    loop.run();
    REQUIRE(results.size() == 3);
    CHECK(results[1].value() == 1);
    CHECK(results[2].value() == 2);
    CHECK(pool.depth() == 0);
}

TEST_CASE("a pool without threads works at once and answers in the next turn", "[runtime][NET-15]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    BlockingPool pool{{0, 1}};
    int ran = 0;
    const auto future = pool.run(loop, [&] { return ++ran; });
    CHECK(ran == 1);
    CHECK_FALSE(future.peek());
    time.settle();
    REQUIRE(future.peek());
    CHECK(future.peek()->value() == 1);
}

TEST_CASE("what blocking work throws comes back as an error", "[runtime][NET-15]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    BlockingPool pool{{0, 1}};
    const auto refused = pool.run(loop, []() -> int { throw Error{Code::forbidden, "no"}; });
    const auto failed = pool.run(loop, []() -> int { throw std::runtime_error{"out of luck"}; });
    time.settle();
    REQUIRE(refused.peek());
    CHECK(refused.peek()->error().code() == Code::forbidden);
    REQUIRE(failed.peek());
    CHECK(failed.peek()->error().code() == Code::internal);
    CHECK_THAT(failed.peek()->error().message(), Catch::Contains("out of luck"));
}

TEST_CASE("a pool finishes what is queued before it ends", "[runtime][NET-15]") {
    EpollLoop loop{"test", 1};
    int ran = 0;
    {
        BlockingPool pool{{1, 100}};
        for (int number = 0; number < 50; ++number) {
            const auto future = pool.run(loop, [&] { return ++ran; });
        }
    }
    CHECK(ran == 50);
}
