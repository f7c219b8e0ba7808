#include <catch2/catch.hpp>

#include "client/cpp/protocol_talk.hpp"

using namespace gs;
using namespace gs::client;
using namespace std::chrono_literals;

TEST_CASE("client protocol: hello then enter then entered", "[client][TOL-02]") {
    Talk talk;
    talk.protocol.start("secret", talk.now);
    const auto cut = wire::cut_frame(talk.protocol.output(), 1000);
    CHECK(wire::parse_client_hello(cut.payload).value().protocol_max == wire::protocol_version);
    talk.protocol.output().clear();
    talk.hello({});
    CHECK_FALSE(talk.protocol.entered());
    const auto sent = talk.sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].header.command == command_of<wire::Enter>);
    CHECK(sent[0].header.request_id == 0);
    CHECK(msgpack::decode<wire::Enter>(sent[0].body).value().token == "secret");
    wire::Entered entered;
    entered.player = PlayerId{42};
    talk.entered(entered);
    CHECK(talk.protocol.entered());
    CHECK(talk.events.player == PlayerId{42});
}

TEST_CASE("client protocol: a refused hello and a refused token say why", "[client][TOL-02]") {
    Talk talk;
    talk.protocol.start("t", talk.now);
    SECTION("hello") {
        wire::ServerHello refused;
        refused.code = Code::busy;
        refused.message = "full";
        talk.hello(refused);
        REQUIRE(talk.events.closed.size() == 1);
        CHECK(talk.events.closed[0].code == Code::busy);
        CHECK(talk.events.closed[0].reconnect);
    }
    SECTION("token") {
        talk.hello({});
        talk.from_server({wire::Kind::reply, true, command_of<wire::Enter>, 0},
                         wire::ErrorBody{Code::unauthenticated, "expired"});
        REQUIRE(talk.events.closed.size() == 1);
        CHECK(talk.events.closed[0].code == Code::unauthenticated);
        CHECK(talk.events.closed[0].reason == "expired");
        CHECK_FALSE(talk.events.closed[0].reconnect);
    }
    SECTION("another product") {
        talk.protocol.receive(as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"), talk.now);
        REQUIRE(talk.events.closed.size() == 1);
        CHECK(talk.events.closed[0].reason.find("not a gateway") != std::string::npos);
    }
    SECTION("silence") {
        CHECK(talk.protocol.next_tick() == talk.now + 5s);
        talk.protocol.tick(talk.now + 5s);
        REQUIRE(talk.events.closed.size() == 1);
        CHECK(talk.events.closed[0].code == Code::deadline);
    }
}

TEST_CASE("client protocol: while the server is full it waits, however long that takes", "[client][TOL-02][ACC-06]") {
    Talk talk;
    talk.protocol.start("t", talk.now);
    talk.hello({});
    SECTION("as long as it is told") {
        for (std::uint32_t position = 3; position > 0; --position) {
            talk.from_server({wire::Kind::control, false, command_of<wire::Queued>}, wire::Queued{position, 60});
            talk.now += std::chrono::seconds{4};
            talk.protocol.tick(talk.now);
        }
        CHECK(talk.events.queued == std::vector<std::uint32_t>{3, 2, 1});
        talk.entered({});
        CHECK(talk.protocol.entered());
    }
    SECTION("and not when it is forgotten") {
        talk.from_server({wire::Kind::control, false, command_of<wire::Queued>}, wire::Queued{1, 0});
        talk.now += std::chrono::seconds{6};
        talk.protocol.tick(talk.now);
        CHECK(talk.events.closed.size() == 1);
    }
}

TEST_CASE("client protocol: replies find their requests in any order and byte by byte", "[client][TOL-02]") {
    Talk talk;
    talk.enter();
    const auto first = talk.ask("one");
    const auto second = talk.ask("two");
    const auto sent = talk.sent();
    REQUIRE(sent.size() == 2);
    talk.answer(sent[1].header.request_id, "TWO");
    CHECK(second->text == "TWO");
    CHECK(first->count == 0);
    Buffer out;
    wire::write_framed(out, {wire::Kind::reply, false, command_of<echo::Echo>, sent[0].header.request_id},
                       echo::Echo{"ONE"});
    for (const auto byte : out.view()) talk.protocol.receive({&byte, 1}, talk.now);
    CHECK(first->text == "ONE");
    CHECK(talk.protocol.waiting() == 0);
    CHECK(talk.events.closed.empty());
}

TEST_CASE("client protocol: several messages in one read", "[client][TOL-02]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    Buffer out;
    wire::write_framed(out, {wire::Kind::push, false, 1300, 0}, echo::Echo{"a"});
    wire::write_framed(out, {wire::Kind::reply, false, command_of<echo::Echo>, 1}, echo::Echo{"y"});
    wire::write_framed(out, {wire::Kind::push, false, 1301, 0}, echo::Echo{"b"});
    talk.protocol.receive(out, talk.now);
    CHECK(talk.events.pushes == std::vector<std::string>{"1300 a", "1301 b"});
    CHECK(asked->text == "y");
}

TEST_CASE("client protocol: a request ends at its deadline and a late reply is dropped", "[client][TOL-02]") {
    Talk talk;
    talk.enter();
    const auto slow = talk.ask("slow", 3s);
    const auto quick = talk.ask("quick", 1s);
    CHECK(talk.protocol.next_tick() == talk.now + 1s);
    talk.now += 1s;
    talk.protocol.tick(talk.now);
    CHECK(quick->code == Code::deadline);
    CHECK(slow->count == 0);
    CHECK(talk.protocol.next_tick() == talk.now + 2s);
    talk.answer(2, "late");
    CHECK(talk.protocol.late_replies() == 1);
    talk.answer(1, "in time");
    CHECK(slow->text == "in time");
    CHECK(quick->count == 1);
}

TEST_CASE("client protocol: an error reply keeps code and message", "[client][TOL-02]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    talk.from_server({wire::Kind::reply, true, command_of<echo::Echo>, 1},
                     wire::ErrorBody{Code::limited, "slow down {}"});
    CHECK(asked->code == Code::limited);
    CHECK(asked->message == "slow down {}");
}

TEST_CASE("client protocol: heartbeat measures and silence ends the connection", "[client][TOL-02]") {
    Talk talk;
    talk.enter(1000);
    talk.now += 1s;
    talk.protocol.tick(talk.now);
    const auto sent = talk.sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].header.command == command_of<wire::Ping>);
    const auto ping = msgpack::decode<wire::Ping>(sent[0].body).value();
    talk.now += 20ms;
    talk.from_server({wire::Kind::control, false, command_of<wire::Pong>, 0}, wire::Pong{ping.sent_us});
    CHECK(talk.protocol.rtt() == 20ms);
    talk.protocol.output().clear();
    talk.from_server({wire::Kind::control, false, command_of<wire::Ping>, 0}, wire::Ping{99, 0});
    REQUIRE(talk.sent().size() == 1);
    CHECK(msgpack::decode<wire::Pong>(talk.sent()[0].body).value().sent_us == 99);
    const auto asked = talk.ask("never answered", 1min);
    talk.now += 1999ms;
    talk.protocol.tick(talk.now);
    CHECK(talk.events.away.empty());
    talk.now += 1ms;
    talk.protocol.tick(talk.now);
    REQUIRE(talk.events.away.size() == 1);
    CHECK(talk.events.away[0].code == Code::unavailable);
    CHECK(asked->count == 0);
    CHECK(talk.protocol.next_tick() > talk.now + 50s);  // the deadline of the request is all that is due
}

TEST_CASE("client protocol: what is too large or too early is not sent", "[client][TOL-02]") {
    Talk talk;
    CHECK(talk.ask("early")->code == Code::unavailable);
    talk.enter();
    const auto large = talk.ask(std::string(300, 'x'));
    CHECK(large->code == Code::invalid);
    CHECK(large->message.find("at most 200") != std::string::npos);
    CHECK(talk.protocol.output().empty());
}

TEST_CASE("client protocol: bounds on requests that wait", "[client][TOL-02]") {
    Recorder events;
    ProtocolOptions options;
    options.requests_max = 1;
    Talk talk;
    Protocol bounded{events, options};
    bounded.start("t", talk.now);
    Buffer out;
    wire::write_hello(out, wire::ServerHello{});
    wire::write_framed(out, {wire::Kind::reply, false, command_of<wire::Enter>, 0}, wire::Entered{});
    bounded.receive(out, talk.now);
    const auto first = std::make_shared<Answer>();
    const auto second = std::make_shared<Answer>();
    bounded.send(echo::Echo{"1"}, talk.now + 1s, first);
    bounded.send(echo::Echo{"2"}, talk.now + 1s, second);
    CHECK(first->count == 0);
    CHECK(second->code == Code::busy);
}

TEST_CASE("client protocol: a server that breaks the protocol is left with a reason", "[client][TOL-02]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    SECTION("a reply to nothing") { talk.answer(99, "?"); }
    SECTION("a reply of another command") { talk.from_server({wire::Kind::reply, false, 1234, 1}, echo::Echo{"?"}); }
    SECTION("a request") { talk.from_server({wire::Kind::request, false, 1000, 1}, echo::Echo{"?"}); }
    SECTION("a frame of no length") {
        const std::uint8_t empty[4] = {};
        talk.protocol.receive(empty, talk.now);
    }
    SECTION("a frame of two gigabytes") {
        const std::uint8_t huge[4] = {0, 0, 0, 0x80};
        talk.protocol.receive(huge, talk.now);
    }
    REQUIRE(talk.events.closed.size() == 1);
    CHECK(talk.events.closed[0].code == Code::invalid);
    CHECK_FALSE(talk.events.closed[0].reason.empty());
    CHECK(asked->code == Code::deadline);
}

TEST_CASE("client protocol: what ends the session finishes what waits", "[client][TOL-02]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    SECTION("close") {
        talk.from_server({wire::Kind::control, false, command_of<wire::Close>, 0},
                         wire::Close{Code::fenced, "newer login", false});
        REQUIRE(talk.events.closed.size() == 1);
        CHECK(talk.events.closed[0].reason == "newer login");
        CHECK_FALSE(talk.events.closed[0].reconnect);
    }
    SECTION("giving up") {
        talk.protocol.lost("reset");
        talk.protocol.lost("reset again");
        REQUIRE(talk.events.away.size() == 1);
        talk.protocol.give_up(talk.events.away[0]);
        CHECK(talk.events.closed.size() == 1);
    }
    SECTION("own close") {
        talk.protocol.close();
        CHECK(talk.events.closed.empty());
    }
    SECTION("a new start") {
        talk.protocol.start("token", talk.now);
        CHECK(talk.events.closed.empty());
    }
    CHECK(talk.events.away.size() < 2);
    CHECK(asked->count == 1);
    CHECK(asked->code == Code::deadline);
    CHECK(talk.ask("after")->code == Code::unavailable);
}
