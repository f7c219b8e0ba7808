#include "client/cpp/protocol.hpp"

#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"

using namespace gs;
using namespace gs::client;
using namespace std::chrono_literals;

namespace {

struct Recorder final : ProtocolEvents {
    void on_entered(const wire::Entered& entered) override { player = entered.player; }
    void on_push(Command command, BytesView body) override {
        pushes.push_back(fmt::format("{} {}", command, msgpack::decode<echo::Echo>(body).value().text));
    }
    void on_closed(const wire::Close& close) override { closed.push_back(close); }

    PlayerId player{};
    std::vector<std::string> pushes;
    std::vector<wire::Close> closed;
};

struct Answer final : Pending {
    void finish(Result<BytesView> body) override {
        ++count;
        code = body ? Code::ok : body.error().code();
        message = body ? "" : body.error().message();
        if (body) text = msgpack::decode<echo::Echo>(*body).value().text;
    }
    int count = 0;
    Code code = Code::ok;
    std::string text, message;
};

/// A protocol with what a server would send it, at times of the test's choice.
struct Talk {
    Recorder events;
    Protocol protocol{events};
    Time now{1h};

    void hello(const wire::ServerHello& hello) {
        Buffer out;
        wire::write_hello(out, hello);
        protocol.receive(out, now);
    }
    template <class Body>
    void from_server(const wire::Header& header, const Body& body) {
        Buffer out;
        wire::write_framed(out, header, body);
        protocol.receive(out, now);
    }
    void enter(std::uint32_t heartbeat_ms = 0) {
        protocol.start("token", now);
        wire::ServerHello accepted;
        accepted.heartbeat_ms = heartbeat_ms;
        accepted.frame_bytes_max = 200;
        hello(accepted);
        from_server({wire::Kind::reply, false, command_of<wire::Enter>, 1}, wire::Entered{PlayerId{7}, 0});
        protocol.output().clear();
    }
    std::shared_ptr<Answer> ask(std::string text, Duration deadline = 5s) {
        auto answer = std::make_shared<Answer>();
        protocol.send(echo::Echo{std::move(text)}, now + deadline, answer);
        return answer;
    }
    void answer(std::uint64_t id, std::string text) {
        from_server({wire::Kind::reply, false, command_of<echo::Echo>, id}, echo::Echo{std::move(text)});
    }
    std::vector<wire::MessageView> sent() {
        std::vector<wire::MessageView> messages;
        auto left = protocol.output().view();
        while (!left.empty()) {
            const auto cut = wire::cut_frame(left, 1U << 20U);
            REQUIRE(cut.status == wire::FrameCut::Status::frame);
            messages.push_back(wire::parse_message(cut.payload));
            left = left.subspan(cut.consumed());
        }
        return messages;
    }
};

}  // namespace

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
    CHECK(msgpack::decode<wire::Enter>(sent[0].body).value().token == "secret");
    talk.from_server({wire::Kind::reply, false, command_of<wire::Enter>, sent[0].header.request_id},
                     wire::Entered{PlayerId{42}, 0});
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
        talk.from_server({wire::Kind::reply, true, command_of<wire::Enter>, 1},
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
    wire::write_framed(out, {wire::Kind::reply, false, command_of<echo::Echo>, 2}, echo::Echo{"y"});
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
    talk.answer(3, "late");
    CHECK(talk.protocol.late_replies() == 1);
    talk.answer(2, "in time");
    CHECK(slow->text == "in time");
    CHECK(quick->count == 1);
}

TEST_CASE("client protocol: an error reply keeps code and message", "[client][TOL-02]") {
    Talk talk;
    talk.enter();
    const auto asked = talk.ask("x");
    talk.from_server({wire::Kind::reply, true, command_of<echo::Echo>, 2},
                     wire::ErrorBody{Code::limited, "slow down {}"});
    CHECK(asked->code == Code::limited);
    CHECK(asked->message == "slow down {}");
}

TEST_CASE("client protocol: heartbeat measures and silence closes", "[client][TOL-02]") {
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
    CHECK(talk.events.closed.empty());
    talk.now += 1ms;
    talk.protocol.tick(talk.now);
    REQUIRE(talk.events.closed.size() == 1);
    CHECK(talk.events.closed[0].code == Code::unavailable);
    CHECK(asked->code == Code::deadline);
    CHECK(talk.protocol.next_tick() == Time::max());
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
    wire::write_framed(out, {wire::Kind::reply, false, command_of<wire::Enter>, 1}, wire::Entered{});
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
    SECTION("a reply of another command") { talk.from_server({wire::Kind::reply, false, 1234, 2}, echo::Echo{"?"}); }
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

TEST_CASE("client protocol: Close of the server and loss finish what waits", "[client][TOL-02]") {
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
    SECTION("loss") {
        talk.protocol.lost("reset");
        talk.protocol.lost("reset again");
        REQUIRE(talk.events.closed.size() == 1);
        CHECK(talk.events.closed[0].code == Code::unavailable);
    }
    SECTION("own close") {
        talk.protocol.close();
        CHECK(talk.events.closed.empty());
    }
    CHECK(asked->count == 1);
    CHECK(asked->code == Code::deadline);
    CHECK(talk.ask("after")->code == Code::unavailable);
}
