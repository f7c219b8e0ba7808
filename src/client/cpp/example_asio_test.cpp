// The first example of README.md, played against a gateway of the test. The part between the lines is in the README.
// ---
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "client/cpp/client.hpp"
#include "modules/chat/messages.hpp"

asio::awaitable<void> greet(gs::client::Client& client, std::vector<gs::client::Gateway> gateways, std::string token) {
    client.on<chat::Said>([](const chat::Said& said) { fmt::print("{}: {}\n", said.line.from, said.line.text); });
    client.on_away([](const gs::wire::Close& close) { fmt::print("one moment: {}\n", close.reason); });
    client.on_resumed([](bool gap) { fmt::print("back{}\n", gap ? ", and something is lost" : ""); });
    client.on_closed([](const gs::wire::Close& close) { fmt::print("disconnected: {}\n", close.reason); });

    const auto entered = co_await client.connect(gateways, token);
    if (!entered) {
        fmt::print("not let in: {}\n", entered.error().message());
        co_return;
    }
    chat::Join join;
    join.channel = "lobby";
    const auto joined = co_await client.request(join);
    if (!joined) co_return;

    chat::Say say;
    say.channel = "lobby";
    say.text = "hello";
    const auto said = co_await client.request(say);
    if (said) fmt::print("that was line {} of the channel\n", said->line);
    client.close();
}

void play(std::vector<gs::client::Gateway> gateways, std::string token) {
    asio::io_context io;
    gs::client::Client client{io};
    asio::co_spawn(io, greet(client, gateways, token), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
    });
    io.run();
}
// ---

#include <catch2/catch.hpp>

#include "client/cpp/fake_gateway.hpp"

TEST_CASE("client example: a coroutine in an asio program", "[client][TOL-02]") {
    std::atomic<int> lines{0};
    gs::client::FakeGateway gateway{
        [&](gs::client::FakeGateway::Connection& connection, const gs::wire::MessageView& message) {
            if (message.header.command == gs::command_of<chat::Join>) {
                connection.reply<chat::Join>(message, {});
            } else {
                const auto say = gs::msgpack::decode<chat::Say>(message.body).value();
                CHECK(say.text == "hello");
                connection.push(chat::Said{"lobby", {1, connection.player, say.text}});
                connection.reply<chat::Say>(message, {1});
                ++lines;
            }
        }};
    play({{"fake", "127.0.0.1", gateway.port(), 0}}, "1");
    CHECK(lines == 1);
}
