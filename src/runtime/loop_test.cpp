#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/epoll_loop.hpp"
#include "runtime/virtual_loop.hpp"

using namespace gs::runtime;
using namespace std::chrono_literals;

namespace {

class Hook final : public EndOfTurn {
public:
    explicit Hook(std::function<void()> call, Phase phase = Phase::send) : EndOfTurn{phase}, call_{std::move(call)} {}
    void end_of_turn() override { call_(); }

private:
    std::function<void()> call_;
};

struct OneLoop {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    std::string ran;
};

}  // namespace

TEST_CASE_METHOD(OneLoop, "posted jobs run in order and those they post run in the next turn", "[runtime][NET-15]") {
    Hook hook{[&] { ran += '|'; }};
    loop.post([&] {
        ran += 'a';
        loop.at_end_of_turn(hook);
        loop.post([&] { ran += 'c'; });
        loop.at_end_of_turn(hook);
    });
    loop.post([&] { ran += 'b'; });
    CHECK(ran.empty());
    time.settle();
    CHECK(ran == "ab|c");
}

TEST_CASE_METHOD(OneLoop, "a hook that asks for a hook has it in the same turn", "[runtime][NET-15]") {
    Hook second{[&] { ran += '2'; }};
    Hook first{[&] {
        ran += '1';
        loop.at_end_of_turn(second);
        loop.post([&] { ran += 'j'; });
    }};
    loop.at_end_of_turn(first);
    time.settle();
    CHECK(ran == "12j");
}

TEST_CASE_METHOD(OneLoop, "nothing is sent before all deliveries of the turn are done", "[runtime][NET-15]") {
    int hops = 3;
    Hook send{[&] { ran += 's'; }};
    std::unique_ptr<Hook> deliver;
    const auto hop = [&] {
        ran += 'd';
        loop.at_end_of_turn(send);
        if (--hops > 0) loop.at_end_of_turn(*deliver);
    };
    deliver = std::make_unique<Hook>(hop, EndOfTurn::Phase::deliver);
    loop.at_end_of_turn(send);
    loop.at_end_of_turn(*deliver);
    time.settle();
    CHECK(ran == "ddds");
}

TEST_CASE_METHOD(OneLoop, "a turn with very much to send leaves the rest to the next turns", "[runtime][NET-15]") {
    const auto many = 2 * Loop::sends_per_turn_max + 1;
    std::vector<std::size_t> sent;
    std::vector<std::unique_ptr<Hook>> hooks;
    for (std::size_t number = 0; number < many; ++number) {
        hooks.push_back(std::make_unique<Hook>([&sent, number] { sent.push_back(number); }));
        loop.at_end_of_turn(*hooks.back());
    }
    std::size_t sent_before_job = 0;
    Hook asks{[&] {
                  loop.post([&] {  // in the next turn
                      sent_before_job = sent.size();
                      loop.at_end_of_turn(*hooks.front());    // sent already: once more, at the end
                      loop.at_end_of_turn(*hooks[many - 1]);  // waits still: once
                      loop.forget(*hooks[many - 2]);
                  });
              },
              EndOfTurn::Phase::deliver};
    loop.at_end_of_turn(asks);
    time.settle();
    CHECK(sent_before_job == Loop::sends_per_turn_max);
    REQUIRE(sent.size() == many);
    CHECK(std::is_sorted(sent.begin(), sent.end() - 1));
    CHECK(sent[many - 2] == many - 1);
    CHECK(sent.back() == 0);
}

TEST_CASE_METHOD(OneLoop, "a forgotten hook is not called", "[runtime][NET-15]") {
    Hook second{[&] { ran += '2'; }};
    Hook first{[&] {
        ran += '1';
        loop.forget(second);
    }};
    loop.at_end_of_turn(first);
    loop.at_end_of_turn(second);
    time.settle();
    CHECK(ran == "1");
    loop.at_end_of_turn(second);
    time.settle();
    CHECK(ran == "12");
}

TEST_CASE_METHOD(OneLoop, "timers fire in the order of their time and then of asking", "[runtime][GAM-10]") {
    loop.after(30ms, [&] { ran += 'd'; });
    loop.after(10ms, [&] { ran += 'a'; });
    loop.after(20ms, [&] { ran += 'b'; });
    const auto cancelled = loop.after(20ms, [&] { ran += 'x'; });
    loop.after(20ms, [&] { ran += 'c'; });
    loop.cancel(cancelled);
    loop.cancel(cancelled);
    loop.cancel(TimerId::none);
    time.advance(9ms);
    CHECK(ran.empty());
    time.advance(11ms);
    CHECK(ran == "abc");
    time.advance(10ms);
    CHECK(ran == "abcd");
    CHECK(time.now() == Time{30ms});
}

TEST_CASE_METHOD(OneLoop, "a timer may cancel one that is due in the same turn", "[runtime][GAM-10]") {
    TimerId second{};
    loop.after(1ms, [&] {
        ran += '1';
        loop.cancel(second);
    });
    second = loop.after(1ms, [&] { ran += '2'; });
    time.advance(5ms);
    CHECK(ran == "1");
}

TEST_CASE_METHOD(OneLoop, "a timer for now set by a timer lets posted jobs run first", "[runtime][GAM-10]") {
    loop.after(0ms, [&] {
        ran += 't';
        loop.after(-5ms, [&] { ran += 'u'; });
        loop.post([&] { ran += 'j'; });
    });
    time.settle();
    CHECK(ran == "tju");
    CHECK(time.now() == Time{});
}

TEST_CASE("virtual time moves from event to event on all its loops", "[runtime][NET-15]") {
    VirtualTime time;
    VirtualLoop first{time, "first"};
    VirtualLoop second{time, "second"};
    std::vector<std::pair<char, Time>> fired;
    first.after(20ms, [&] { fired.emplace_back('a', first.now()); });
    second.after(10ms, [&] {
        fired.emplace_back('b', second.now());
        first.post([&] { fired.emplace_back('c', first.now()); });
    });
    CHECK(time.run_until([&] { return fired.size() == 3; }, 1s));
    CHECK((fired == std::vector<std::pair<char, Time>>{{'b', Time{10ms}}, {'c', Time{10ms}}, {'a', Time{20ms}}}));
    CHECK_FALSE(time.run_until([] { return false; }, 1s));
    const auto wall = time.wall_now();
    time.jump_wall(-1h);
    CHECK(time.wall_now() == wall - 1h);
    CHECK(time.now() == Time{20ms});
}

TEST_CASE("the random numbers of a loop follow from the seed", "[runtime]") {
    const auto draw = [](std::uint64_t seed) {
        VirtualTime time{seed};
        VirtualLoop first{time, "first"};
        VirtualLoop second{time, "second"};
        return std::pair{first.random()(), second.random()()};
    };
    CHECK(draw(1) == draw(1));
    CHECK(draw(1) != draw(2));
    CHECK(draw(1).first != draw(1).second);
}

TEST_CASE("jobs of several threads all run and those of one thread in order", "[runtime][NET-15]") {
    constexpr int threads = 4;
    constexpr int jobs_each = 20'000;
    EpollLoop loop{"test", 1};
    std::vector<int> next(threads, 0);
    int ran = 0;
    int out_of_order = 0;
    bool on_loop = true;
    std::vector<std::thread> posters;
    for (int thread = 0; thread < threads; ++thread) {
        posters.emplace_back([&, thread] {
            for (int number = 0; number < jobs_each; ++number) {
                loop.post([&, thread, number] {
                    on_loop = on_loop && loop.is_current();
                    if (next[thread]++ != number) ++out_of_order;
                    if (++ran == threads * jobs_each) loop.stop();
                });
            }
        });
    }
    loop.after(30s, [&] { loop.stop(); });
    CHECK_FALSE(loop.is_current());
    loop.run();
    for (auto& poster : posters) poster.join();
    CHECK(ran == threads * jobs_each);
    CHECK(out_of_order == 0);
    CHECK(on_loop);
    CHECK_FALSE(loop.is_current());
}

TEST_CASE("a job posted on the loop itself runs before the loop stops", "[runtime][NET-15]") {
    EpollLoop loop{"test", 1};
    std::string ran;
    Hook hook{[&] { ran += '|'; }};
    loop.post([&] {
        ran += 'a';
        loop.at_end_of_turn(hook);
        loop.post([&] { ran += 'c'; });
        loop.stop();
    });
    loop.post([&] { ran += 'b'; });
    loop.run();
    CHECK(ran == "ab|c");
}

TEST_CASE("real timers fire in order and not when cancelled", "[runtime][GAM-10]") {
    EpollLoop loop{"test", 1};
    std::string ran;
    const auto began = loop.now();
    loop.after(1h, [&] { ran += 'f'; });
    loop.after(2ms, [&] {
        ran += '2';
        // Earlier than the one that the loop waits for.
        loop.after(3ms, [&] {
            ran += '3';
            loop.stop();
        });
    });
    const auto cancelled = loop.after(1ms, [&] { ran += 'x'; });
    loop.after(1ms, [&] { ran += '1'; });
    loop.cancel(cancelled);
    loop.run();
    CHECK(ran == "123");
    CHECK(loop.now() - began >= 5ms);
}
