#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "runtime/task.hpp"
#include "runtime/timers.hpp"
#include "runtime/virtual_loop.hpp"

using namespace gs;
using namespace gs::runtime;
using namespace std::chrono_literals;

namespace {

Task<int> give(int value) { co_return value; }

Task<std::unique_ptr<std::string>> give_text(std::string text) {
    co_return std::make_unique<std::string>(std::move(text));
}

Task<int> refuse(std::string why) {
    if (!why.empty()) throw Error::verbatim(Code::conflict, why);
    co_return 0;
}

Task<> add_up(int* sum) {
    const auto first = co_await give(3);
    const auto second = co_await give(4);
    *sum = first + second;
}

Task<> take_text(std::string* into) {
    auto text = co_await give_text("moved, not copied");
    *into = *text;
}

Task<> try_refused(std::string* into) {
    try {
        const auto never = co_await refuse("taken");
        *into = std::to_string(never);
    } catch (const Error& error) {
        *into = error.message();
    }
}

Task<> let_escape(std::string why) {
    const auto never = co_await refuse(std::move(why));
    static_cast<void>(never);
}

Task<> escape_with_anything(int value) {
    if (value > 0) throw value;
    co_return;
}

Task<> many_ready_tasks(int rounds, int* sum) {
    for (int round = 0; round < rounds; ++round) {
        const auto one = co_await give(1);
        *sum += one;
    }
}

Task<> many_ready_futures(int rounds, int* sum) {
    for (int round = 0; round < rounds; ++round) {
        const Promise<int> promise;
        auto future = promise.future();
        promise.set(1);
        const auto one = co_await std::move(future);
        *sum += one;
    }
}

Task<> await_future(Future<std::string> future, std::string* into) { *into = co_await std::move(future); }

Task<int> inner_wait(Future<int> future, std::shared_ptr<int> held) {
    const auto value = co_await std::move(future);
    co_return value + *held;
}

Task<> outer_wait(Future<int> future, std::shared_ptr<int> held, int* into) {
    const auto value = co_await inner_wait(std::move(future), held);
    *into = value;
}

Task<> watch_context(Loop* loop, Duration pause, void* expected, int* wrong) {
    for (int round = 0; round < 5; ++round) {
        *wrong += current_context() == expected ? 0 : 1;
        co_await sleep(*loop, pause);
        *wrong += current_context() == expected ? 0 : 1;
        const auto one = co_await give(1);
        *wrong += current_context() == expected && one == 1 ? 0 : 1;
    }
}

Task<> context_after(Future<int> future, void** seen) {
    const auto value = co_await std::move(future);
    static_cast<void>(value);
    *seen = current_context();
}

}  // namespace

TEST_CASE("a task gives its value to the one that awaits it", "[runtime][GAM-07]") {
    Tasks tasks;
    int sum = 0;
    std::string text;
    tasks.spawn(add_up(&sum), "add up");
    tasks.spawn(take_text(&text), "take text");
    CHECK(sum == 7);
    CHECK(text == "moved, not copied");
    CHECK(tasks.running() == 0);
}

TEST_CASE("a task that nobody awaits does not run", "[runtime][GAM-07]") {
    int sum = 0;
    { const auto task = add_up(&sum); }
    CHECK(sum == 0);
}

TEST_CASE("an exception of a task reaches the one that awaits it", "[runtime][GAM-07]") {
    Tasks tasks;
    std::string text;
    const auto escaped = Tasks::escaped();
    tasks.spawn(try_refused(&text), "try");
    CHECK(text == "taken");
    CHECK(Tasks::escaped() == escaped);
}

TEST_CASE("what nobody handles ends the task and is counted", "[runtime][GAM-07]") {
    Tasks tasks;
    const auto escaped = Tasks::escaped();
    tasks.spawn(let_escape("expected in this test"), "escape");
    CHECK(Tasks::escaped() == escaped + 1);
    tasks.spawn(escape_with_anything(1), "escape");
    CHECK(Tasks::escaped() == escaped + 2);
    CHECK(tasks.running() == 0);
}

TEST_CASE("300000 awaits of what is ready do not grow the stack", "[runtime][GAM-07]") {
    Tasks tasks;
    int sum = 0;
    tasks.spawn(many_ready_tasks(300'000, &sum), "tasks");
    CHECK(sum == 300'000);
    tasks.spawn(many_ready_futures(300'000, &sum), "futures");
    CHECK(sum == 600'000);
}

TEST_CASE("a future has its value whether it is set before or after it is awaited", "[runtime][GAM-07]") {
    Tasks tasks;
    const Promise<std::string> promise;
    std::string text;
    SECTION("before") {
        promise.set("first");
        tasks.spawn(await_future(promise.future(), &text), "await");
    }
    SECTION("after") {
        tasks.spawn(await_future(promise.future(), &text), "await");
        CHECK(text.empty());
        CHECK(tasks.running() == 1);
        CHECK_FALSE(promise.is_set());
        promise.set("first");
    }
    CHECK(text == "first");
    CHECK(promise.is_set());
    promise.set("second");
    CHECK(text == "first");
    CHECK(tasks.running() == 0);
}

TEST_CASE("the first value of a promise counts", "[runtime][GAM-07]") {
    const Promise<int> promise;
    const auto future = promise.future();
    CHECK_FALSE(future.peek());
    promise.set(1);
    promise.set(2);
    CHECK(future.peek() == 1);
}

TEST_CASE("destroying a group destroys the tasks that wait in it", "[runtime][GAM-07]") {
    const Promise<int> promise;
    const auto held = std::make_shared<int>(1);
    int result = 0;
    std::optional<Tasks> tasks{std::in_place};
    tasks->spawn(outer_wait(promise.future(), held, &result), "wait");
    CHECK(held.use_count() > 1);
    SECTION("they end") {
        promise.set(41);
        CHECK(result == 42);
        CHECK(held.use_count() == 1);
    }
    SECTION("they never wake") {
        tasks.reset();
        CHECK(held.use_count() == 1);
        promise.set(41);
        CHECK(result == 0);
    }
}

TEST_CASE("the context follows a task over its suspensions and into no other", "[runtime][GAM-07]") {
    VirtualTime time;
    VirtualLoop loop{time, "test"};
    Tasks tasks;
    int first = 0;
    int second = 0;
    int wrong = 0;
    {
        const ContextScope scope{&first};
        tasks.spawn(watch_context(&loop, 3ms, &first, &wrong), "first");
        CHECK(current_context() == &first);
    }
    {
        const ContextScope scope{&second};
        tasks.spawn(watch_context(&loop, 5ms, &second, &wrong), "second");
    }
    tasks.spawn(watch_context(&loop, 5ms, nullptr, &wrong), "none");
    CHECK(current_context() == nullptr);
    time.advance(1s);
    CHECK(tasks.running() == 0);
    CHECK(wrong == 0);
    CHECK(current_context() == nullptr);
}

TEST_CASE("who sets a value keeps the own context", "[runtime][GAM-07]") {
    Tasks tasks;
    const Promise<int> promise;
    int waiter = 0;
    int setter = 0;
    void* seen = nullptr;
    {
        const ContextScope scope{&waiter};
        tasks.spawn(context_after(promise.future(), &seen), "wait");
    }
    const ContextScope scope{&setter};
    promise.set(1);
    CHECK(seen == &waiter);
    CHECK(current_context() == &setter);
}
