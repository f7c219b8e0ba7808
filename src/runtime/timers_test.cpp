#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "runtime/timers.hpp"
#include "runtime/virtual_loop.hpp"

using namespace gs::runtime;
using namespace std::chrono_literals;

namespace {

Task<> sleep_and_tell(Loop* loop, Duration delay, std::string* ran, char name) {
    co_await sleep(*loop, delay);
    *ran += name;
}

}  // namespace

TEST_CASE("a timer that fails is not the end of it, nor of others", "[runtime][GAM-10]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    Timers timers{loop};
    int failed = 0;
    int ran = 0;
    timers.every("bad", 10ms, [&] {
        ++failed;
        throw gs::Error{gs::Code::internal, "the timer of a test"};
    });
    timers.every("good", 10ms, [&] { ++ran; });
    time.advance(35ms);
    CHECK(failed == 3);
    CHECK(ran == 3);
}

TEST_CASE("a timer that would run all the time is refused", "[runtime][GAM-10]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    Timers timers{loop};
    CHECK_THROWS_AS(timers.every("frame", 1s / 20, [] {}), gs::Error);
    CHECK(timers.count("frame") == 0);
}

TEST_CASE("one key owns many timers and cancelling it cancels them all", "[runtime][GAM-10]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    Timers timers{loop};
    std::string ran;
    timers.after("skill", 10ms, [&] { ran += 'a'; });
    timers.after("skill", 20ms, [&] { ran += 'b'; });
    timers.after("skill", 30ms, [&] { ran += 'c'; });
    timers.after("buff", 30ms, [&] { ran += 'd'; });
    CHECK(timers.count("skill") == 3);
    time.advance(10ms);
    CHECK(ran == "a");
    CHECK(timers.count("skill") == 2);
    timers.cancel("skill");
    timers.cancel("skill");
    timers.cancel("never used");
    CHECK(timers.count("skill") == 0);
    CHECK(timers.count("buff") == 1);
    time.advance(1s);
    CHECK(ran == "ad");
    CHECK(timers.count("buff") == 0);
}

TEST_CASE("a periodic timer runs until its key is cancelled", "[runtime][GAM-10]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    Timers timers{loop};
    int ran = 0;
    timers.every("tick", 50ms, [&] { ++ran; });
    time.advance(49ms);
    CHECK(ran == 0);
    time.advance(1ms);
    CHECK(ran == 1);
    CHECK(timers.count("tick") == 1);
    time.advance(1s);
    CHECK(ran == 21);
    timers.cancel("tick");
    time.advance(1s);
    CHECK(ran == 21);
}

TEST_CASE("a timer may cancel its own key", "[runtime][GAM-10]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    Timers timers{loop};
    int ran = 0;
    timers.every("tick", 10ms, [&] {
        if (++ran == 3) timers.cancel("tick");
    });
    timers.after("once", 10ms, [&] { timers.cancel("once"); });
    time.advance(1s);
    CHECK(ran == 3);
    CHECK(timers.count("tick") == 0);
    CHECK(timers.count("once") == 0);
}

TEST_CASE("no timer outlives its group", "[runtime][GAM-10]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    int ran = 0;
    std::optional<Timers> timers{std::in_place, loop};
    timers->after("a", 10ms, [&] { ++ran; });
    timers->every("b", 10ms, [&] { ++ran; });
    timers.reset();
    time.advance(1s);
    CHECK(ran == 0);
}

TEST_CASE("a timer may destroy its group", "[runtime][GAM-10]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    std::string ran;
    std::optional<Timers> timers{std::in_place, loop};
    const std::string captured =
        "still there, and too long to be held inside the job itself, so that it is on the heap";
    timers->after("b", 20ms, [&] { ran += 'x'; });
    timers->after("a", 10ms, [&, captured] {
        timers.reset();
        ran += captured;
    });
    time.advance(1s);
    CHECK(ran == captured);
}

TEST_CASE("sleeping tasks wake in the order of their time", "[runtime][GAM-07]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    Tasks tasks;
    std::string ran;
    tasks.spawn(sleep_and_tell(&loop, 20ms, &ran, 'b'), "b");
    tasks.spawn(sleep_and_tell(&loop, 10ms, &ran, 'a'), "a");
    CHECK(tasks.running() == 2);
    time.advance(10ms);
    CHECK(ran == "a");
    tasks.cancel();
    CHECK(tasks.running() == 0);
    time.advance(1s);
    CHECK(ran == "a");
}
