// The second example of README.md, played against a gateway of the test. The part between the lines is in the README.
// ---
#include "client/cpp/blocking.hpp"
#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"

void ask(std::string host, std::uint16_t port, std::string token) {
    gs::client::BlockingClient client;
    client.on<chat::Whispered>(
        [](const chat::Whispered& heard) { fmt::print("{} whispers: {}\n", heard.from, heard.text); });

    client.connect(host, port, token).value();  // value() throws the gs::Error
    const auto reply = client.request(echo::Echo{"is anybody there?"}).value();
    fmt::print("{}\n", reply.text);

    client.poll(std::chrono::milliseconds{50});  // hears whispers for this long
}
// ---

#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "client/cpp/fake_gateway.hpp"

namespace {

std::string text_of(const std::string& file) {
    std::ifstream in{GS_SOURCE_DIR "/src/client/cpp/" + file};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string example_in(const std::string& file) {
    const auto text = text_of(file);
    const std::string line = "// ---\n";
    const auto begin = text.find(line) + line.size();
    return text.substr(begin, text.find(line, begin) - begin);
}

}  // namespace

TEST_CASE("client example: the blocking client", "[client][TOL-02]") {
    gs::client::FakeGateway gateway{
        [](gs::client::FakeGateway::Connection& connection, const gs::wire::MessageView& message) {
            connection.reply<echo::Echo>(message, gs::msgpack::decode<echo::Echo>(message.body).value());
        }};
    CHECK_NOTHROW(ask("127.0.0.1", gateway.port(), "1"));
    CHECK_THROWS_AS(ask("127.0.0.1", gateway.port(), "bad"), gs::Error);
}

TEST_CASE("client examples: the README shows the code that is tested", "[client][TOL-02]") {
    const auto readme = text_of("README.md");
    for (const auto* file : {"example_asio_test.cpp", "example_blocking_test.cpp"}) {
        const auto example = example_in(file);
        REQUIRE(example.size() > 200);
        CAPTURE(file);
        CHECK(readme.find("```cpp\n" + example + "```") != std::string::npos);
    }
}
