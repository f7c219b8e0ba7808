#include <string>

#include <catch2/catch.hpp>

#include "entity/mailbox.hpp"
#include "runtime/timers.hpp"
#include "runtime/virtual_loop.hpp"

using namespace gs;
using namespace gs::entity;
using namespace std::chrono_literals;

namespace {

runtime::Task<> take_turn(runtime::Loop* loop, Mailbox* mailbox, std::string* ran, char name) {
    co_await mailbox->turn();
    *ran += name;
    co_await runtime::sleep(*loop, 10ms);
    *ran += name;
    mailbox->done();
}

}  // namespace

TEST_CASE("one message of an entity runs at a time and the others in order", "[entity][mailbox][GAM-07]") {
    Mailbox mailbox;
    std::string ran;
    CHECK(mailbox.try_begin());
    CHECK(mailbox.busy());
    CHECK_FALSE(mailbox.try_begin());
    for (const char name : {'a', 'b', 'c'}) {
        mailbox.wait([&ran, &mailbox, name] {
            CHECK(mailbox.busy());
            ran += name;
            if (name == 'a') mailbox.wait([&ran] { ran += 'd'; });
            if (name != 'b') mailbox.done();
        });
    }
    CHECK(ran.empty());
    CHECK(mailbox.waiting() == 3);
    mailbox.done();
    CHECK(ran == "ab");
    CHECK(mailbox.busy());
    mailbox.done();
    CHECK(ran == "abcd");
    mailbox.done();
    CHECK_FALSE(mailbox.busy());
    CHECK(mailbox.try_begin());
}

TEST_CASE("a mailbox says when too many wait", "[entity][mailbox]") {
    Mailbox mailbox;
    REQUIRE(mailbox.try_begin());
    for (std::size_t count = 0; count < Mailbox::waiting_max; ++count) {
        CHECK_FALSE(mailbox.full());
        mailbox.wait([&] { mailbox.done(); });
    }
    CHECK(mailbox.full());
    mailbox.done();
    CHECK_FALSE(mailbox.full());
    CHECK_FALSE(mailbox.busy());
}

TEST_CASE("tasks take turns over their suspensions", "[entity][mailbox][GAM-07]") {
    runtime::VirtualTime time;
    runtime::VirtualLoop loop{time, "test"};
    Mailbox mailbox;
    runtime::Tasks tasks;
    std::string ran;
    int context = 0;
    for (const char name : {'a', 'b', 'c'}) {
        const runtime::ContextScope scope{&context};
        tasks.spawn(take_turn(&loop, &mailbox, &ran, name), "turn");
    }
    CHECK(ran == "a");
    CHECK(mailbox.waiting() == 2);
    time.advance(1s);
    CHECK(ran == "aabbcc");
    CHECK_FALSE(mailbox.busy());
    CHECK(runtime::current_context() == nullptr);
}

TEST_CASE("a task that is destroyed while it waits for its turn blocks nobody behind it", "[entity][mailbox][GAM-07]") {
    runtime::VirtualTime time;
    runtime::VirtualLoop loop{time, "test"};
    Mailbox mailbox;
    std::string ran;
    runtime::Tasks stay;
    runtime::Tasks gone;
    stay.spawn(take_turn(&loop, &mailbox, &ran, 'a'), "turn");
    gone.spawn(take_turn(&loop, &mailbox, &ran, 'x'), "turn");
    gone.spawn(take_turn(&loop, &mailbox, &ran, 'y'), "turn");
    stay.spawn(take_turn(&loop, &mailbox, &ran, 'b'), "turn");
    gone.spawn(take_turn(&loop, &mailbox, &ran, 'z'), "turn");
    REQUIRE(mailbox.waiting() == 4);
    gone.cancel();
    time.advance(1s);
    CHECK(ran == "aabb");
    CHECK_FALSE(mailbox.busy());
    CHECK(mailbox.waiting() == 0);
}

TEST_CASE("many who wait are served in order on a stack that does not grow", "[entity][mailbox]") {
    Mailbox mailbox;
    REQUIRE(mailbox.try_begin());
    constexpr std::size_t many = 1'000'000;
    std::size_t served = 0;
    bool in_order = true;
    bool overtaken = false;
    for (std::size_t number = 0; number < many; ++number) {
        mailbox.wait([&, number] {
            in_order = in_order && served == number;
            ++served;
            mailbox.done();
            overtaken = overtaken || (served < many && mailbox.try_begin());
        });
    }
    mailbox.done();
    CHECK(served == many);
    CHECK(in_order);
    CHECK_FALSE(overtaken);
    CHECK_FALSE(mailbox.busy());
}
