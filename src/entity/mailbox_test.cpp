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
