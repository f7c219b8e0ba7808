#include "client/cpp/client.hpp"

#include <asio/co_spawn.hpp>

#include <catch2/catch.hpp>

#include "client/cpp/blocking.hpp"
#include "client/cpp/fake_gateway.hpp"
#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"

using namespace gs;
using namespace gs::client;
using namespace std::chrono_literals;

namespace {

void echo_back(FakeGateway::Connection& connection, const wire::MessageView& message) {
    if (message.header.command == command_of<echo::Echo>) {
        const auto asked = msgpack::decode<echo::Echo>(message.body).value();
        if (asked.text == "silence") return;
        if (asked.text == "refuse") return connection.refuse(message, Code::limited, "too many");
        if (asked.text == "hang up") return connection.close();
        if (asked.text == "hang up once" && !std::exchange(connection.session()->hung_up, true))
            return connection.lose_request();
        connection.reply<echo::Echo>(message, asked);
    } else if (message.header.command == command_of<chat::Say>) {
        const auto said = msgpack::decode<chat::Say>(message.body).value();
        connection.push(chat::Said{said.channel, {1, connection.player, said.text}});
        connection.reply<chat::Say>(message, {1});
    }
}

/// Runs the coroutine to its end; an exception in it fails the test.
void run(asio::io_context& io, asio::awaitable<void> story) {
    std::exception_ptr failure;
    asio::co_spawn(io, std::move(story), [&](const std::exception_ptr& thrown) { failure = thrown; });
    io.run_for(20s);
    if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> ask_many(Client& client, std::uint16_t port, int& answered) {
    const auto entered = co_await client.connect("127.0.0.1", port, "42");
    REQUIRE(entered);
    CHECK(entered->player == PlayerId{42});
    for (int i = 0; i < 500; ++i) {
        echo::Echo message{std::to_string(i)};
        const auto reply = co_await client.request(std::move(message));
        REQUIRE(reply);
        REQUIRE(reply->text == std::to_string(i));
        ++answered;
    }
    client.close();
}

std::vector<Gateway> both_ports(const FakeGateway& gateway) {
    return {{"one", "127.0.0.1", gateway.port(), 0}, {"two", "127.0.0.1", gateway.other_port(), 0}};
}

/// What a client hears about its session.
struct Heard {
    template <class Heard_by>
    explicit Heard(Heard_by& client) {
        client.on_away([this](const wire::Close& close) { away.push_back(close); });
        client.on_resumed([this](bool gap) { resumed.push_back(gap); });
        client.on_closed([this](const wire::Close& close) { closed.push_back(close); });
    }
    std::vector<wire::Close> away, closed;
    std::vector<bool> resumed;
};

void wait_until(BlockingClient& client, const std::function<bool()>& condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) client.poll(5ms);
    REQUIRE(condition());
}

asio::awaitable<void> meet_errors(Client& client, std::uint16_t port) {
    const auto entered = co_await client.connect("localhost", port, "1");
    REQUIRE(entered);
    echo::Echo message{"refuse"};
    const auto refused = co_await client.request(message);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::limited);
    message.text = "silence";
    const auto silent = co_await client.request(message, 20ms);
    REQUIRE_FALSE(silent);
    CHECK(silent.error().code() == Code::deadline);
    message.text = "hang up";
    const auto lost = co_await client.request(message);
    REQUIRE_FALSE(lost);
    CHECK(lost.error().code() == Code::deadline);
    const auto after = co_await client.request(message);
    REQUIRE_FALSE(after);
    CHECK(after.error().code() == Code::unavailable);
    const auto again = co_await client.connect("127.0.0.1", port, "1");
    CHECK(again);
    client.close();
}

}  // namespace

TEST_CASE("client: requests of a coroutine get their replies", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    asio::io_context io{1};
    Client client{io};
    int answered = 0;
    run(io, ask_many(client, gateway.port(), answered));
    CHECK(answered == 500);
}

TEST_CASE("client: errors deadlines and lost connections come back as results", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    asio::io_context io{1};
    ClientOptions options;
    options.resumes = false;
    Client client{io, options};
    Heard heard{client};
    run(io, meet_errors(client, gateway.port()));
    CHECK(heard.away.empty());
    REQUIRE(heard.closed.size() == 1);
    CHECK(heard.closed[0].code == Code::unavailable);
    CHECK(heard.closed[0].reconnect);
}

TEST_CASE("client: a lost connection is resumed and requests only take longer", "[client][SES-07]") {
    FakeGateway gateway{echo_back};
    BlockingClient client;
    Heard heard{client};
    std::vector<std::string> whispers;
    client.on<chat::Whispered>([&](const chat::Whispered& whispered) { whispers.push_back(whispered.text); });
    SECTION("on the same gateway") { REQUIRE(client.connect("127.0.0.1", gateway.port(), "9")); }
    SECTION("on another one") {
        REQUIRE(client.connect(both_ports(gateway), "9"));
        gateway.stop_first();
    }
    CHECK(client.request(echo::Echo{"before"}).value().text == "before");
    gateway.run([&] { gateway.session_of(PlayerId{9})->push(chat::Whispered{PlayerId{1}, "1"}); });
    CHECK(client.request(echo::Echo{"hang up once"}).value().text == "hang up once");
    gateway.run([&] { gateway.session_of(PlayerId{9})->push(chat::Whispered{PlayerId{1}, "2"}); });
    gateway.each([](auto& connection) { connection.close(); });
    gateway.run([&] { gateway.session_of(PlayerId{9})->push(chat::Whispered{PlayerId{1}, "3"}); });
    wait_until(client, [&] { return whispers.size() == 3; });
    CHECK(client.request(echo::Echo{"after"}).value().text == "after");
    CHECK(whispers == std::vector<std::string>{"1", "2", "3"});
    CHECK(heard.away.size() == 2);
    CHECK(heard.resumed == std::vector<bool>{false, false});
    CHECK(heard.closed.empty());
    CHECK(client.connected());
}

TEST_CASE("client: after a gap the game code is told", "[client][SES-03]") {
    FakeGateway gateway{echo_back};
    gateway.forgets = true;
    BlockingClient client;
    Heard heard{client};
    REQUIRE(client.connect("127.0.0.1", gateway.port(), "9"));
    gateway.each([](auto& connection) { connection.close(); });
    wait_until(client, [&] { return !heard.resumed.empty(); });
    CHECK(heard.resumed == std::vector<bool>{true});
    CHECK(client.request(echo::Echo{"after"}).value().text == "after");
}

TEST_CASE("client: a session that the server has forgotten is over", "[client][SES-07]") {
    FakeGateway gateway{echo_back};
    BlockingClient client;
    Heard heard{client};
    REQUIRE(client.connect("127.0.0.1", gateway.port(), "9"));
    gateway.run([&] { gateway.sessions().clear(); });
    CHECK(client.request(echo::Echo{"hang up"}).error().code() == Code::deadline);
    REQUIRE(heard.closed.size() == 1);
    CHECK(heard.closed[0].code == Code::not_found);
    CHECK(heard.closed[0].reconnect);
    CHECK_FALSE(client.in_session());
    CHECK(client.request(echo::Echo{"x"}).error().code() == Code::unavailable);
    CHECK(client.connect("127.0.0.1", gateway.port(), "9"));
}

TEST_CASE("client: nobody to resume with ends requests at their deadline and then the session", "[client][SES-07]") {
    auto gateway = std::make_unique<FakeGateway>(echo_back);
    ClientOptions options;
    options.request_deadline = 50ms;
    options.reconnect.resume_for = 3s;
    BlockingClient client{options};
    Heard heard{client};
    REQUIRE(client.connect(both_ports(*gateway), "9"));
    gateway.reset();
    wait_until(client, [&] { return !heard.away.empty(); });
    CHECK(client.request(echo::Echo{"x"}).error().code() == Code::deadline);
    CHECK(client.in_session());
    wait_until(client, [&] { return !heard.closed.empty(); });
    CHECK(heard.closed[0].code == Code::unavailable);
    CHECK(heard.away.size() == 1);
    CHECK(heard.resumed.empty());
}

TEST_CASE("client: close tells the server that nobody will come back", "[client][SES-07]") {
    FakeGateway gateway{echo_back};
    BlockingClient client;
    REQUIRE(client.connect("127.0.0.1", gateway.port(), "9"));
    client.close();
    std::atomic<bool> left = false;
    for (int i = 0; i < 1000 && !left; ++i) {
        gateway.run([&] { left = gateway.sessions().empty(); });
        client.poll(5ms);
        std::this_thread::sleep_for(1ms);
    }
    CHECK(left);
}

TEST_CASE("client: a gateway of the list that is not there is passed over", "[client][SES-07]") {
    FakeGateway gateway{echo_back};
    BlockingClient client;
    std::vector<Gateway> gateways = both_ports(gateway);
    gateways[0].port = 1;
    CHECK(client.connect(gateways, "9").value().player == PlayerId{9});
    CHECK(client.connect(gateways, "bad").error().code() == Code::unauthenticated);
    CHECK(client.connect(std::vector<Gateway>{}, "9").error().code() == Code::invalid);
}

TEST_CASE("client: a gateway of the list that is busy or silent is passed over", "[client][SES-07]") {
    FakeGateway gateway{echo_back};
    asio::io_context io;
    const asio::ip::tcp::acceptor silent{io, {asio::ip::make_address_v4("127.0.0.1"), 0}};
    ClientOptions options;
    options.protocol.enter_deadline = 50ms;
    BlockingClient client{options};
    auto gateways = both_ports(gateway);
    gateways.insert(gateways.begin() + 1, Gateway{"silent", "127.0.0.1", silent.local_endpoint().port(), 0});
    CHECK(client.connect(gateways, "busy").error().code() == Code::busy);
    CHECK(client.connect({gateways[1], gateways[2]}, "9").value().player == PlayerId{9});
}

TEST_CASE("client: an io_context that is destroyed while a coroutine waits leaves nothing behind", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    bool asked = false;
    {
        asio::io_context io{1};
        const auto story = [](asio::io_context& context, std::uint16_t port, bool& before) -> asio::awaitable<void> {
            Client client{context};
            const auto entered = co_await client.connect("127.0.0.1", port, "1");
            REQUIRE(entered);
            before = true;
            echo::Echo message{"silence"};
            const auto never = co_await client.request(message);
            FAIL("answered " << never.has_value());
        };
        asio::co_spawn(io, story(io, gateway.port(), asked), [](const std::exception_ptr&) {});
        while (!asked) io.run_one();
        io.poll();
    }
    CHECK(asked);
}

TEST_CASE("client: many callback requests share writes and keep their order", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    BlockingClient warm;
    REQUIRE(warm.connect("127.0.0.1", gateway.port(), "5"));
    asio::io_context io{1};
    Client client{io};
    std::vector<std::string> answers;
    const auto story = [](Client& asking, std::uint16_t port, std::vector<std::string>& got) -> asio::awaitable<void> {
        const auto entered = co_await asking.connect("127.0.0.1", port, "5");
        REQUIRE(entered);
        for (int i = 0; i < 1000; ++i) {
            asking.request(echo::Echo{std::to_string(i)}, [&](Result<echo::Echo> reply) {
                got.push_back(reply.value().text);
                if (got.size() == 1000) asking.close();
            });
        }
    };
    run(io, story(client, gateway.port(), answers));
    REQUIRE(answers.size() == 1000);
    for (std::size_t i = 0; i < answers.size(); ++i) REQUIRE(answers[i] == std::to_string(i));
}

TEST_CASE("blocking client: request and pushes", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    BlockingClient client;
    CHECK(client.request(echo::Echo{"early"}).error().code() == Code::unavailable);
    REQUIRE(client.connect("127.0.0.1", gateway.port(), "9").value().player == PlayerId{9});
    std::vector<std::string> heard;
    client.on<chat::Said>([&](const chat::Said& said) { heard.push_back(said.line.text); });
    CHECK(client.request(chat::Say{"lobby", "hello"}).value().line == 1);
    CHECK(heard == std::vector<std::string>{"hello"});
    gateway.each([](auto& connection) { connection.push(chat::Said{"lobby", {2, {}, "later"}}); });
    for (int i = 0; i < 1000 && heard.size() < 2; ++i) client.poll(5ms);
    REQUIRE(heard.size() == 2);
    CHECK(heard[1] == "later");
}

TEST_CASE("blocking client: refused connections and tokens say why", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    BlockingClient client;
    CHECK(client.connect("127.0.0.1", gateway.port(), "bad").error().code() == Code::unauthenticated);
    const auto nobody = client.connect("127.0.0.1", 1, "1");
    CHECK(nobody.error().code() == Code::unavailable);
    CHECK(nobody.error().message().find("127.0.0.1:1") != std::string::npos);
    CHECK(client.connect("no such host.invalid", 1, "1").error().code() == Code::unavailable);
    CHECK_FALSE(client.connected());
}

TEST_CASE("client: a push that does not decode ends the connection with a reason", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    BlockingClient client;
    REQUIRE(client.connect("127.0.0.1", gateway.port(), "9"));
    std::vector<wire::Close> closed;
    client.on<chat::Said>([](const chat::Said&) {});
    client.on_closed([&](const wire::Close& close) { closed.push_back(close); });
    gateway.each([](auto& connection) {
        Buffer out;
        wire::write_framed(out, {wire::Kind::push, false, command_of<chat::Said>, 0}, std::string{"not a Said"});
        connection.send(out);
    });
    for (int i = 0; i < 1000 && closed.empty(); ++i) client.poll(5ms);
    REQUIRE(closed.size() == 1);
    CHECK(closed[0].reason.find("Said") != std::string::npos);
}

TEST_CASE("client: heartbeat gives a round trip and silence ends the connection", "[client][TOL-02]") {
    FakeGateway gateway{echo_back};
    gateway.hello.heartbeat_ms = 20;
    BlockingClient client;
    std::vector<wire::Close> closed;
    client.on_closed([&](const wire::Close& close) { closed.push_back(close); });
    SECTION("answered") {
        REQUIRE(client.connect("127.0.0.1", gateway.port(), "9"));
        for (int i = 0; i < 1000 && client.rtt() == Duration::zero(); ++i) client.poll(5ms);
        CHECK(client.rtt() > Duration::zero());
        CHECK(closed.empty());
    }
    SECTION("silent") {
        gateway.answers_pings = false;
        std::vector<wire::Close> away;
        client.on_away([&](const wire::Close& close) { away.push_back(close); });
        REQUIRE(client.connect("127.0.0.1", gateway.port(), "9"));
        wait_until(client, [&] { return !away.empty(); });
        CHECK(away[0].code == Code::unavailable);
    }
}
