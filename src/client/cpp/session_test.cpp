// A session over several connections, as the client sees it: docs/protocol.md, Sessions.
#include <catch2/catch.hpp>

#include "client/cpp/protocol_talk.hpp"

using namespace gs;
using namespace gs::client;
using namespace std::chrono_literals;
using wire::SessionState;

namespace {

/// The acknowledgements among what was sent: of Ack messages and of requests.
std::vector<std::uint64_t> acks(Talk& talk) {
    std::vector<std::uint64_t> all;
    for (const auto& message : talk.sent()) {
        if (message.header.command == command_of<wire::Ack>) {
            all.push_back(msgpack::decode<wire::Ack>(message.body).value().received);
        } else if (message.header.session != 0) {
            all.push_back(message.header.session);
        }
    }
    return all;
}

std::vector<std::uint64_t> ids(Talk& talk) {
    std::vector<std::uint64_t> all;
    for (const auto& message : talk.sent()) {
        if (message.header.kind == wire::Kind::request) all.push_back(message.header.request_id);
    }
    return all;
}

}  // namespace

TEST_CASE("client session: a numbered message is processed once and a hole ends the connection",
          "[client][SES-07][MSG-07]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    talk.answer(1, "X", 1);
    talk.push("a", 2);
    talk.push("a", 2);
    talk.answer(1, "X", 1);
    CHECK(talk.events.pushes == std::vector<std::string>{"1300 a"});
    CHECK(asked->count == 1);
    CHECK(talk.protocol.duplicates() == 2);
    talk.push("c", 4);
    CHECK(talk.events.pushes.size() == 1);
    REQUIRE(talk.events.away.size() == 1);
    CHECK(talk.protocol.away());
    talk.push("b", 3);  // of a connection that is over
    CHECK(talk.events.pushes.size() == 1);
    CHECK(talk.come_back().received == 2);
}

TEST_CASE("client session: acknowledgements ride on requests or go alone in time", "[client][SES-07]") {
    Talk talk;
    talk.enter();
    SECTION("on the next request, once") {
        talk.push("a", 1);
        talk.push("b", 2);
        static_cast<void>(talk.ask("x"));
        static_cast<void>(talk.ask("y"));
        CHECK(acks(talk) == std::vector<std::uint64_t>{2});
        CHECK(talk.sent()[0].header.session == 2);
        CHECK(talk.protocol.next_tick() == talk.now + 5s);
    }
    SECTION("after 64 messages") {
        for (std::uint64_t number = 1; number < 64; ++number) talk.push("a", number);
        CHECK(acks(talk).empty());
        talk.push("a", 64);
        CHECK(acks(talk) == std::vector<std::uint64_t>{64});
    }
    SECTION("after 16 KiB") {
        talk.push(std::string(16'000, 'x'), 1);
        CHECK(acks(talk).empty());
        talk.push(std::string(400, 'x'), 2);
        CHECK(acks(talk) == std::vector<std::uint64_t>{2});
    }
    SECTION("after 2 seconds") {
        talk.push("a", 1);
        talk.now += 1s;
        talk.push("b", 2);
        CHECK(talk.protocol.next_tick() == talk.now + 1s);
        talk.protocol.tick(talk.now + 999ms);
        CHECK(acks(talk).empty());
        talk.protocol.tick(talk.now + 1s);
        CHECK(acks(talk) == std::vector<std::uint64_t>{2});
        CHECK(talk.protocol.next_tick() == Time::max());
    }
    SECTION("not for pushes without a number") {
        talk.push("a", 0);
        static_cast<void>(talk.ask("x"));
        CHECK(acks(talk).empty());
        CHECK(talk.events.pushes.size() == 1);
    }
}

TEST_CASE("client session: resume proves the session and sends again what the server does not have",
          "[client][SES-07]") {
    Talk talk;
    talk.enter();
    const auto one = talk.ask("one");
    const auto two = talk.ask("two");
    const auto three = talk.ask("three", 1s);
    const auto four = talk.ask("four");
    talk.answer(1, "ONE", 1);
    talk.protocol.lost("reset");
    CHECK(talk.protocol.output().empty());
    const auto five = talk.ask("five");
    CHECK(five->count == 0);
    talk.now += 1s;
    talk.protocol.tick(talk.now);
    CHECK(three->code == Code::deadline);

    const auto enter = talk.come_back();
    CHECK(enter.token.empty());
    CHECK(enter.player == PlayerId{7});
    CHECK(enter.session == 99);
    CHECK(enter.received == 1);
    CHECK(enter.answered == 1);
    CHECK(enter.proof == wire::session_proof(talk.key, talk.nonce, enter));

    talk.resumed(SessionState::resumed, 2, 2);
    CHECK(talk.events.resumed == std::vector<SessionState>{SessionState::resumed});
    CHECK(ids(talk) == std::vector<std::uint64_t>{3, 4, 5});  // 3 was given up, and no id may be missing
    CHECK(msgpack::decode<echo::Echo>(talk.sent()[1].body).value().text == "four");
    talk.answer(2, "TWO", 2);
    talk.answer(3, "THREE", 3);
    talk.answer(4, "FOUR", 4);
    talk.answer(5, "FIVE", 5);
    CHECK(two->text == "TWO");
    CHECK(four->text == "FOUR");
    CHECK(five->text == "FIVE");
    CHECK(talk.protocol.late_replies() == 1);
    CHECK(talk.events.away.size() == 1);
    CHECK(talk.events.closed.empty());
    CHECK(talk.protocol.waiting() == 0);
    CHECK(one->count == 1);
}

TEST_CASE("client session: a request that was refused before its turn is not done after a resume", "[client][SES-07]") {
    Talk talk;
    talk.enter();
    const auto slow = talk.ask("slow");
    const auto refused = talk.ask("refused");
    talk.from_server({wire::Kind::reply, true, command_of<echo::Echo>, 2, 1}, wire::ErrorBody{Code::limited, "wait"});
    CHECK(refused->code == Code::limited);
    talk.protocol.lost("reset");
    CHECK(talk.come_back().answered == 0);
    talk.resumed(SessionState::gap, 0, 2);
    CHECK(ids(talk) == std::vector<std::uint64_t>{1, 2});
    CHECK(talk.sent()[1].header.command < first_module_command);  // its id only
    talk.from_server({wire::Kind::reply, true, 0, 2, 2}, wire::ErrorBody{Code::unknown_command, "0"});
    talk.answer(1, "SLOW", 3);
    CHECK(slow->text == "SLOW");
    CHECK(refused->count == 1);
    CHECK(talk.protocol.entered());
}

TEST_CASE("client session: after a gap the numbers go on where the server says", "[client][SES-03]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    talk.push("a", 1);
    talk.protocol.lost("reset");
    CHECK(talk.come_back().received == 1);
    talk.resumed(SessionState::gap, 1, 1000);
    CHECK(talk.events.resumed == std::vector<SessionState>{SessionState::gap});
    CHECK(ids(talk).empty());
    talk.from_server({wire::Kind::reply, true, command_of<echo::Echo>, 1, 1000}, wire::ErrorBody{Code::deadline, "?"});
    CHECK(asked->code == Code::deadline);
    talk.push("b", 1001);
    CHECK(talk.events.pushes == std::vector<std::string>{"1300 a", "1300 b"});
    CHECK(talk.events.away.size() == 1);
}

TEST_CASE("client session: counts of the server that cannot be end the session", "[client][SES-07]") {
    Talk talk;
    talk.enter();
    const auto one = talk.ask("one");
    const auto two = talk.ask("two");
    talk.answer(1, "ONE", 1);
    talk.protocol.lost("reset");
    static_cast<void>(talk.come_back());
    SECTION("requests that were not sent") { talk.resumed(SessionState::resumed, 3, 2); }
    SECTION("requests forgotten that were answered") { talk.resumed(SessionState::gap, 0, 2); }
    SECTION("messages left out") { talk.resumed(SessionState::resumed, 1, 3); }
    SECTION("numbers that came before") { talk.resumed(SessionState::gap, 1, 1); }
    SECTION("a fresh session") { talk.resumed(SessionState::fresh, 1, 2); }
    SECTION("numbers before Entered") { talk.push("a", 2); }
    REQUIRE(talk.events.closed.size() == 1);
    CHECK(talk.events.closed[0].code == Code::invalid);
    CHECK(two->code == Code::deadline);
}

TEST_CASE("client session: a resume that is refused is tried again or ends the session", "[client][SES-07]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    talk.protocol.lost("reset");
    static_cast<void>(talk.come_back());
    SECTION("for now") {
        talk.refuse(GENERATE(Code::busy, Code::unavailable, Code::deadline, Code::limited));
        CHECK(talk.protocol.away());
        CHECK(talk.events.away.size() == 2);
        CHECK(talk.events.closed.empty());
        CHECK(asked->count == 0);
    }
    SECTION("for good, and a login helps") {
        talk.refuse(GENERATE(Code::not_found, Code::unauthenticated));
        REQUIRE(talk.events.closed.size() == 1);
        CHECK(talk.events.closed[0].reconnect);
        CHECK(asked->code == Code::deadline);
    }
    SECTION("for good") {
        talk.refuse(GENERATE(Code::fenced, Code::forbidden));
        REQUIRE(talk.events.closed.size() == 1);
        CHECK_FALSE(talk.events.closed[0].reconnect);
        CHECK(asked->code == Code::deadline);
    }
    SECTION("by silence") {
        talk.protocol.tick(talk.now + 5s);
        CHECK(talk.protocol.away());
        CHECK(talk.events.away.size() == 2);
    }
}

TEST_CASE("client session: requests made while away are bounded and keep their deadline", "[client][SES-07]") {
    Talk talk;
    talk.enter();
    talk.protocol.lost("reset");
    const auto asked = talk.ask("x", 1s);
    CHECK(talk.protocol.next_tick() == talk.now + 1s);
    talk.protocol.tick(talk.now + 1s);
    CHECK(asked->code == Code::deadline);
    CHECK(talk.protocol.away());
    std::shared_ptr<Answer> last;
    for (int i = 0; i < 65'536 && (!last || last->count == 0); ++i) last = talk.ask("x");
    CHECK(last->code == Code::busy);
}

TEST_CASE("client session: bytes of requests that wait are bounded", "[client][SES-07]") {
    Recorder events;
    ProtocolOptions options;
    options.requests_bytes_max = 100;
    Protocol bounded{events, options};
    const Time now{1h};
    bounded.start("t", now);
    Buffer out;
    wire::write_hello(out, wire::ServerHello{});
    wire::write_framed(out, {wire::Kind::reply, false, command_of<wire::Enter>, 0}, wire::Entered{});
    bounded.receive(out, now);
    const auto first = std::make_shared<Answer>();
    const auto second = std::make_shared<Answer>();
    bounded.send(echo::Echo{std::string(100, 'x')}, now + 1s, first);
    bounded.send(echo::Echo{"2"}, now + 1s, second);
    CHECK(first->count == 0);
    CHECK(second->code == Code::busy);
}

TEST_CASE("client session: who closes says that it leaves", "[client][SES-07]") {
    Talk talk;
    talk.enter();
    SECTION("when it is in") {
        talk.protocol.close();
        REQUIRE(talk.sent().size() == 1);
        CHECK(talk.sent()[0].header.kind == wire::Kind::control);
        CHECK(talk.sent()[0].header.command == command_of<wire::Leave>);
    }
    SECTION("not to a connection that is gone") {
        talk.protocol.lost("reset");
        talk.protocol.close();
        CHECK(talk.protocol.output().empty());
    }
    CHECK(talk.protocol.closed());
    CHECK_FALSE(talk.protocol.in_session());
    CHECK(talk.events.closed.empty());
}
