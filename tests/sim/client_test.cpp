// The simulator's client against a server that only keeps sessions: it comes back by itself, or not.
#include "tests/sim/client.hpp"

#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"

namespace gs::sim {

using namespace std::chrono_literals;

namespace {

/// One session; echoes its requests, and keeps what it said for ever.
struct Server final : transport::ConnectionHandler {
    Server(Network& network, runtime::Loop& loop) {
        for (const auto* address : {"gate:1", "gate:2"}) {
            listeners.push_back(network
                                    .listen(loop, address, {},
                                            [this](std::shared_ptr<transport::Connection> accepted) {
                                                connection = std::move(accepted);
                                                greeted = false;
                                                input.clear();
                                                connection->start(*this);
                                                ++connections;
                                            })
                                    .value());
        }
    }
    std::size_t on_bytes(BytesView bytes) override {
        input.append(bytes);
        for (;;) {
            const auto cut = wire::cut_frame(input, 1U << 20U);
            if (cut.status != wire::FrameCut::Status::frame) return bytes.size();
            if (std::exchange(greeted, true)) {
                take(wire::parse_message(cut.payload));
            } else {
                wire::write_hello(connection->output(), wire::ServerHello{});
            }
            if (connection == nullptr) return bytes.size();
            input.consume(cut.consumed());
        }
    }
    void on_closed(const Error& /*why*/) override {}

    void take(const wire::MessageView& message) {
        if (message.header.command == command_of<wire::Enter>) {
            const auto enter = msgpack::decode<wire::Enter>(message.body).value();
            wire::Entered entered;
            entered.session = 5;
            entered.received = received;
            entered.next = enter.received + 1;
            if (enter.token.empty()) entered.state = wire::SessionState::resumed;
            wire::write_framed(connection->output(), {wire::Kind::reply, false, command_of<wire::Enter>, 0}, entered);
            for (auto number = enter.received; number < said.size(); ++number)
                connection->output().append(said[number]);
        } else if (message.header.kind == wire::Kind::request) {
            ++received;
            if (drops_at == received) {
                --received;
                drops_at = 0;
                connection->close();
                connection.reset();
                return;
            }
            CHECK(message.header.request_id == received);
            said.emplace_back();
            wire::write_framed(
                said.back(), {wire::Kind::reply, false, message.header.command, message.header.request_id, said.size()},
                msgpack::decode<echo::Echo>(message.body).value());
            connection->output().append(said.back());
        } else if (message.header.command == command_of<wire::Leave>) {
            left = true;
        }
    }

    std::vector<std::unique_ptr<transport::Listener>> listeners;
    std::shared_ptr<transport::Connection> connection;
    Buffer input;
    std::vector<Buffer> said;
    std::uint64_t received = 0, drops_at = 0;
    int connections = 0;
    bool greeted = false, left = false;
};

struct Owner final : ClientOwner {
    void on_entered() override { ++entered; }
    void on_resumed(bool gap) override { resumed.push_back(gap); }
    void on_push(Command /*command*/, BytesView /*body*/) override {}
    bool wants_to_resume(const wire::Close& /*close*/) override { return resumes; }
    void on_lost(const wire::Close& close) override { lost.push_back(close); }
    int entered = 0;
    bool resumes = true;
    std::vector<bool> resumed;
    std::vector<wire::Close> lost;
};

struct Play {
    Play() {
        client.connect(0, "token");
        time.advance(1s);
        REQUIRE(owner.entered == 1);
    }
    ~Play() {
        client.disconnect();
        network.end_of_world();
    }
    void ask(std::string text) {
        client.request(echo::Echo{text}, 10s, [this](const Result<echo::Echo>& reply) {
            answers.push_back(reply ? reply->text : std::string{to_string(reply.error().code())});
        });
    }

    runtime::VirtualTime time;
    Trace trace{time, false};
    Network network{time, trace, 7, {}};
    runtime::VirtualLoop loop{time, "clients"}, gate_loop{time, "gate"};
    Server server{network, gate_loop};
    const std::vector<std::string> gateways{"gate:1", "gate:2"};
    Owner owner;
    Client client{network, loop, "anna", gateways, 1, owner};
    std::vector<std::string> answers;
};

}  // namespace

TEST_CASE("the simulator's client resumes and its requests only take longer", "[sim][SES-07]") {
    Play play;
    play.server.drops_at = 2;
    for (const auto* text : {"1", "2", "3"}) play.ask(text);
    play.time.advance(5s);
    CHECK(play.answers == std::vector<std::string>{"1", "2", "3"});
    CHECK(play.server.connections == 2);
    CHECK(play.owner.resumed == std::vector<bool>{false});
    CHECK(play.owner.lost.empty());
    CHECK(play.client.is_entered());

    REQUIRE(play.network.break_one("anna"));
    play.time.advance(1ms);
    play.ask("4");  // while it is away, or on its way
    play.time.advance(5s);
    CHECK(play.answers.back() == "4");
    CHECK(play.owner.resumed.size() == 2);
}

TEST_CASE("the simulator's client gives up in time and when its owner wants that", "[sim][SES-07]") {
    Play play;
    SECTION("nobody is there") {
        play.server.listeners.clear();
        REQUIRE(play.network.break_one("anna"));
        play.time.advance(1s);
        play.ask("late");
        play.time.advance(30s);
        CHECK(play.answers == std::vector<std::string>{"deadline"});
        CHECK(play.owner.lost.empty());
        CHECK_FALSE(play.client.is_idle());
        play.time.advance(60s);
    }
    SECTION("it forgets the session") {
        play.owner.resumes = false;
        REQUIRE(play.network.break_one("anna"));
        play.time.advance(1s);
    }
    CHECK(play.owner.lost.size() == 1);
    CHECK(play.client.is_idle());
    CHECK(play.owner.resumed.empty());
}

TEST_CASE("the simulator's client says that it leaves or just goes", "[sim][SES-07]") {
    Play play;
    const bool says_so = GENERATE(true, false);
    if (says_so) {
        play.client.leave();
    } else {
        play.client.disconnect();
    }
    play.time.advance(1s);
    CHECK(play.server.left == says_so);
    CHECK(play.client.is_idle());
    CHECK(play.owner.lost.empty());
}

}  // namespace gs::sim
