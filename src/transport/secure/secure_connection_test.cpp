#include "transport/secure/secure_connection.hpp"

#include <string>

#include <catch2/catch.hpp>

#include "runtime/virtual_loop.hpp"
#include "transport/memory/memory_transport.hpp"
#include "wire/frame.hpp"

using namespace gs;
using namespace gs::transport;
using namespace std::chrono_literals;
using wire::noise::CipherState;
using wire::noise::Records;

namespace {

Records records(std::uint8_t written, std::uint8_t read) {
    Secret of_writer;
    of_writer.bytes().fill(written);
    Secret of_reader;
    of_reader.bytes().fill(read);
    return {wire::noise::RecordWriter{CipherState{of_writer}}, wire::noise::RecordReader{CipherState{of_reader}}};
}

/// Takes lines that are whole; the line "secure" begins the encryption.
class Holder final : public ConnectionHandler {
public:
    Holder(runtime::Loop& loop, bool is_server) : loop_{loop}, is_server_{is_server} {}
    std::size_t on_bytes(BytesView bytes) override {
        ++calls;
        if (holds) return 0;
        std::size_t taken = 0;
        for (;;) {
            const auto rest = as_text(bytes.subspan(taken));
            const auto end = rest.find('\n');
            if (end == std::string_view::npos) return taken;
            const auto line = rest.substr(0, end);
            taken += end + 1;
            text += line;
            text += ' ';
            if (line == "close") connection->close();
            if (line == "secure") {
                secure();
                return taken + connection->on_bytes(bytes.subspan(taken));
            }
        }
    }
    void on_closed(const Error& error) override { why = error.message(); }
    /// What was written before goes out as it is.
    void secure() {
        connection = std::make_shared<SecureConnection>(loop_, below, is_server_ ? records(1, 2) : records(2, 1), 1000);
        connection->start(*this);
    }
    void say(std::string_view line) {
        const auto text = std::string{line} + "\n";
        (connection != nullptr ? connection->output() : below->output()).append(as_bytes(text));
    }

    std::shared_ptr<Connection> below;
    std::shared_ptr<SecureConnection> connection;  // once it encrypts
    std::string text, why;
    int calls = 0;
    bool holds = false;  // takes nothing

private:
    runtime::Loop& loop_;
    bool is_server_;
};

struct Pair {
    Pair() {
        auto listening = network.listen(server_loop, "10.0.0.1:7000", {}, [this](auto connection) {
            server.below = std::move(connection);
            server.below->start(server);
        });
        listener = std::move(listening).value();
        network.connect(client_loop, "10.0.0.1:7000", 1s, [this](auto connection) {
            raw = *connection;
            client.below = std::move(connection).value();
            client.below->start(client);
        });
        time.settle();
        REQUIRE(server.below);
        REQUIRE(client.below);
    }
    /// What a hello does: the line that asks for encryption is plain, what is behind it is not.
    void secure() {
        client.say("secure");
        client.secure();
    }

    runtime::VirtualTime time;
    runtime::VirtualLoop server_loop{time, "server"};
    runtime::VirtualLoop client_loop{time, "client"};
    MemoryTransport network;
    Holder server{server_loop, true}, client{client_loop, false};
    std::shared_ptr<Connection> raw;  // below the client's
    std::unique_ptr<Listener> listener;
};

}  // namespace

TEST_CASE("a connection encrypts from the byte on where it was told to", "[transport][noise][MSG-06]") {
    for (const std::size_t piece : {0U, 1U, 2U, 7U, 30U}) {
        CAPTURE(piece);
        Pair pair;
        pair.network.set_piece_bytes(piece);
        pair.client.say("plain");
        pair.secure();
        pair.client.say("secret one");  // in the same turn
        pair.client.connection->send(SharedBytes{as_bytes("secret two\n")});
        CHECK(pair.client.connection->queued_bytes() >= 2 * 11);
        pair.time.settle();
        CHECK(pair.server.text == "plain secure secret one secret two ");
        pair.server.say("answer");
        pair.server.connection->send(SharedBytes{as_bytes("to all\n")});
        pair.time.settle();
        CHECK(pair.client.text == "answer to all ");
        CHECK(pair.client.connection->queued_bytes() == 0);
        CHECK(pair.server.connection->remote() != "");
    }
}

TEST_CASE("what a turn writes leaves in one record after the roles have written", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.time.settle();
    const auto calls = pair.server.calls;
    pair.client_loop.post([&] {
        pair.client.say("one");
        pair.client.say("two");
    });
    pair.client_loop.post([&] { pair.client.say("three"); });
    pair.time.settle();
    CHECK(pair.server.text == "secure one two three ");
    CHECK(pair.server.calls == calls + 1);
}

TEST_CASE("a very long write is cut into records and arrives whole", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.time.settle();
    pair.server.connection->set_record_bytes_max(wire::noise::record_plain_bytes_max);
    const std::string line(200'000, 'x');
    pair.client.say(line);
    pair.client.say(line);
    pair.time.settle();
    CHECK(pair.server.text == "secure " + line + " " + line + " ");
}

TEST_CASE("a record that is longer than allowed ends the connection", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.client.say(std::string(999, 'x'));
    pair.time.settle();
    CHECK(pair.server.why.empty());
    pair.client.say(std::string(1000, 'x'));
    pair.time.settle();
    CHECK_FALSE(pair.server.why.empty());
    CHECK(pair.server.text.size() == 7 + 1000);
}

TEST_CASE("who does not read is handed what came before when it reads again", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.client.say("begun");
    pair.client.connection->output().append(as_bytes("half "));
    pair.time.settle();
    pair.server.connection->set_reading(false);
    pair.client.say("line");
    pair.client.say("more");
    pair.time.settle();
    CHECK(pair.server.text == "secure begun ");
    pair.server.connection->set_reading(true);
    pair.time.settle();
    CHECK(pair.server.text == "secure begun half line more ");
}

TEST_CASE("what a handler did not take comes again when it reads", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.time.settle();
    pair.server.holds = true;
    pair.client.say("waits");
    pair.time.settle();
    CHECK(pair.server.text == "secure ");
    pair.server.connection->set_reading(false);
    pair.server.holds = false;
    pair.time.settle();
    CHECK(pair.server.text == "secure ");
    pair.server.connection->set_reading(true);
    pair.time.settle();
    CHECK(pair.server.text == "secure waits ");
}

TEST_CASE("the end of a stream is told from a cut", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.time.settle();
    pair.client.say("last words");
    SECTION("a real end") {
        pair.client.connection->close_after_send();
        pair.time.settle();
        CHECK(pair.server.text == "secure last words ");
        CHECK(pair.server.why == "the other side closed the connection");
    }
    SECTION("a cut") {
        pair.time.settle();
        pair.raw->close();
        pair.time.settle();
        CHECK(pair.server.text == "secure last words ");
        CHECK(pair.server.why == "the connection was cut; the other side closed the connection");
    }
    SECTION("a plain connection knows no difference") {
        Pair plain;
        plain.client.below->close();
        plain.time.settle();
        CHECK(plain.server.why == "the other side closed the connection");
    }
}

TEST_CASE("what is not authentic ends the connection and gets no answer", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.time.settle();
    pair.client.say("good");
    pair.time.settle();
    Buffer forged;
    wire::write_length(forged.extend(4), 32);
    forged.append(Binary(32, 7));
    pair.raw->output().append(forged);
    pair.time.settle();
    CHECK(pair.server.text == "secure good ");
    CHECK(pair.server.why == "what the other side sent is not what it encrypted");
    CHECK(pair.client.text.empty());
    CHECK(pair.client.why == "the connection was cut; the other side closed the connection");
    pair.server.say("into nothing");
    pair.server.connection->close();
    pair.time.settle();
}

TEST_CASE("a handler may close inside of what it is handed", "[transport][noise][MSG-06]") {
    Pair pair;
    pair.secure();
    pair.client.say("close");
    pair.client.say("not any more");
    pair.time.settle();
    CHECK(pair.server.why.empty());
    CHECK_FALSE(pair.client.why.empty());
    // Nothing is left of the connection when it is dropped.
    std::weak_ptr<SecureConnection> gone = pair.server.connection;
    pair.server.connection.reset();
    pair.time.settle();
    CHECK(gone.expired());
}
