#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/virtual_loop.hpp"
#include "transport/memory/memory_transport.hpp"

using namespace gs;
using namespace gs::transport;
using namespace std::chrono_literals;

namespace {

class Collector final : public ConnectionHandler {
public:
    std::size_t on_bytes(BytesView bytes) override {
        ++calls;
        const auto taken = bytes.size() - bytes.size() % multiple;
        text += as_text(bytes.first(taken));
        return taken;
    }
    void on_closed(const Error& why) override { closed = why.code(); }

    std::string text;
    int calls = 0;
    std::size_t multiple = 1;
    std::optional<Code> closed;
};

/// A server and a client, each on a loop of its own.
struct Pair {
    Pair() {
        auto listening = network.listen(server_loop, "10.0.0.1:7000", {}, [this](auto connection) {
            server = std::move(connection);
            server->start(at_server);
        });
        listener = std::move(listening).value();
        network.connect(client_loop, "10.0.0.1:7000", 1s, [this](auto connection) {
            client = std::move(connection).value();
            client->start(at_client);
        });
        time.settle();
        REQUIRE(server);
        REQUIRE(client);
    }
    void say(Connection& connection, std::string_view text) { connection.output().append(as_bytes(text)); }

    runtime::VirtualTime time;
    runtime::VirtualLoop server_loop{time, "server"};
    runtime::VirtualLoop client_loop{time, "client"};
    MemoryTransport network;
    Collector at_server, at_client;
    std::unique_ptr<Listener> listener;
    std::shared_ptr<Connection> server, client;
};

}  // namespace

TEST_CASE("bytes arrive on the other side in order", "[transport][NET-01]") {
    Pair pair;
    pair.say(*pair.client, "one ");
    pair.client->send(SharedBytes{as_bytes("two ")});
    pair.say(*pair.client, "three");
    CHECK(pair.client->queued_bytes() == 13);
    pair.say(*pair.server, "answer");
    pair.time.settle();
    CHECK(pair.client->queued_bytes() == 0);
    CHECK(pair.at_server.text == "one two three");
    CHECK(pair.at_client.text == "answer");
    CHECK(pair.client->remote() == "10.0.0.1:7000");
}

TEST_CASE("bytes can be delivered in pieces of every size", "[transport][NET-02]") {
    const std::string text = "the bytes of a stream that is cut into pieces";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        Pair pair;
        pair.network.set_piece_bytes(piece);
        pair.at_server.multiple = 3;
        pair.say(*pair.client, text);
        pair.time.settle();
        CHECK(pair.at_server.text == text);
        CHECK(pair.at_server.calls == static_cast<int>((text.size() + piece - 1) / piece));
    }
}

TEST_CASE("closing is told to the other side after the bytes and not to the own", "[transport][NET-01]") {
    Pair pair;
    pair.say(*pair.client, "last words");
    SECTION("after sending") {
        pair.client->close_after_send();
        pair.time.settle();
        CHECK(pair.at_server.text == "last words");
    }
    SECTION("at once") {
        pair.client->close();
        pair.time.settle();
        CHECK(pair.at_server.text.empty());
    }
    CHECK(pair.at_server.closed == Code::unavailable);
    CHECK_FALSE(pair.at_client.closed);
    pair.say(*pair.server, "too late");
    pair.server->close();
    pair.time.settle();
    CHECK(pair.at_client.text.empty());
}

TEST_CASE("a cut network delivers nothing and tells nobody", "[transport][NET-12]") {
    Pair pair;
    pair.network.set_cut("10.0.0.1:7000", true);
    pair.say(*pair.client, "lost");
    pair.say(*pair.server, "lost");
    pair.time.settle();
    CHECK(pair.at_server.text.empty());
    CHECK(pair.at_client.text.empty());
    bool failed = false;
    pair.network.connect(pair.client_loop, "10.0.0.1:7000", 1s, [&](auto got) { failed = !got; });
    pair.time.settle();
    CHECK(failed);
    SECTION("nor that it was closed") {
        pair.client->close();
        pair.time.settle();
        CHECK_FALSE(pair.at_server.closed);
    }
    SECTION("until it is mended") {
        pair.network.set_cut("10.0.0.1:7000", false);
        pair.say(*pair.client, "heard");
        pair.time.settle();
        CHECK(pair.at_server.text == "heard");
    }
}

TEST_CASE("who does not read leaves the bytes with the sender", "[transport][NET-11]") {
    Pair pair;
    pair.server->set_reading(false);
    const std::string block(50'000, 'b');
    for (int round = 0; round < 10; ++round) {
        pair.say(*pair.client, block);
        pair.time.settle();
    }
    CHECK(pair.at_server.text.empty());
    CHECK(pair.client->queued_bytes() >= 6 * block.size());
    pair.server->set_reading(true);
    pair.time.settle();
    CHECK(pair.at_server.text.size() == 10 * block.size());
    CHECK(pair.client->queued_bytes() == 0);
}

TEST_CASE("an address has one listener and nobody listens after it", "[transport][NET-10]") {
    Pair pair;
    const auto second = pair.network.listen(pair.server_loop, "10.0.0.1:7000", {}, [](auto) {});
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == Code::conflict);
    CHECK_THAT(second.error().message(), Catch::Contains("7000"));
    const auto any_port = pair.network.listen(pair.server_loop, "10.0.0.1:0", {}, [](auto) {});
    REQUIRE(any_port);
    CHECK((*any_port)->address() != "10.0.0.1:0");
    CHECK_FALSE(pair.network.listen(pair.server_loop, "nonsense", {}, [](auto) {}));

    std::shared_ptr<Connection> late;
    pair.network.connect(pair.client_loop, "10.0.0.1:7000", 1s, [&](auto got) { late = std::move(got).value(); });
    pair.listener.reset();  // while that one is on its way
    Collector at_late;
    pair.time.settle();
    REQUIRE(late);
    late->start(at_late);
    pair.time.settle();

    std::optional<Error> refused;
    pair.network.connect(pair.client_loop, "10.0.0.1:7000", 1s, [&](auto got) { refused = got.error(); });
    pair.time.settle();
    REQUIRE(refused);
    CHECK(refused->code() == Code::unavailable);
    pair.say(*pair.client, "still connected");
    pair.time.settle();
    CHECK(pair.at_server.text == "still connected");
}
