// Encrypted links: what somebody on the way can see and do.
#include <catch2/catch.hpp>

#include "cluster/links_tap.hpp"

namespace gs::cluster::links_test {

namespace {

/// From the first byte to the one behind the last, in all that a says to b.
struct Place {
    std::size_t begin = 0, end = 0;
};

/// Starts a and b, and a tells b something.
Place tell(TappedWorld& world, Node*& a, Node*& b) {
    a = &world.start("a", 1);
    b = &world.start("b", 2);
    REQUIRE(world.until([&] { return a->sees("b") && b->sees("a"); }));
    const auto begin = world.wires.front()->sent.size();
    REQUIRE(a->role.send(b->role.address(), Told{1, "text"}));
    world.time.settle();
    return {begin, world.wires.front()->sent.size()};
}

}  // namespace

TEST_CASE("nothing that nodes say to each other can be read on the way", "[cluster][noise][MSG-06]") {
    TappedWorld world;
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    REQUIRE(a.role.send(b.role.address(), Told{1, "the secret of a"}));
    b.role.announce(true, 0, "the.endpoint.of.b");
    a.tasks.spawn(keep_result(a.role.call(b.role.address(), Measure{"how long is it"}), &a.result), "call");
    REQUIRE(world.until([&] { return a.result.has_value(); }));
    CHECK(a.result->value().bytes == 14);
    CHECK(b.told == std::vector<std::uint32_t>{1});
    REQUIRE(world.wires.size() >= 1);
    const auto& wire = *world.wires.front();
    CHECK(frame_ends(wire.sent).size() > 3);
    for (const auto* bytes : {&wire.sent, &wire.received}) {
        const auto text = as_text(*bytes);
        for (const std::string_view word : {"secret", "endpoint", "how long", "test", "default", "game", "GSL1"})
            CHECK(text.find(word) == std::string_view::npos);
    }
}

TEST_CASE("a byte that was changed on the way makes no link", "[cluster][noise][MSG-06]") {
    Binary sent;
    Binary received;
    {
        TappedWorld world;
        auto& a = world.start("a", 1);
        auto& b = world.start("b", 2);
        REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
        sent = world.wires.front()->sent;
        received = world.wires.front()->received;
    }
    // Two frames of handshake and the record with the hello; one frame and the record with hello and announcements.
    const auto end_of_hello = frame_ends(sent).at(2);
    const auto end_of_answer = frame_ends(received).at(1);
    std::size_t tried = 0;
    const auto try_with = [&](const Spoiling& spoiling) {
        CAPTURE(spoiling.sent.value_or(0), spoiling.received.value_or(0), spoiling.mask);
        TappedWorld world{spoiling};
        auto& a = world.start("a", 1, [](LinkOptions& options) { options.peers = {{"b", addresses.at("b")}}; });
        auto& b = world.start("b", 2);
        // Bytes that make a frame longer are waited for in vain.
        CHECK(world.until([&] { return !world.wires.empty() && world.wires.front()->closed; }, 7s));
        world.time.settle();
        CHECK(a.links.connected() + b.links.connected() == 0);
        CHECK(a.heard.size() + b.heard.size() == 2);  // each itself
        ++tried;
    };
    for (const std::uint8_t mask : {0x01, 0x80}) {
        for (std::size_t place = 0; place < end_of_hello; ++place) try_with({place, {}, {}, mask});
        for (std::size_t place = 0; place < end_of_answer; ++place) try_with({{}, place, {}, mask});
    }
    CHECK(tried > 1'000);
}

TEST_CASE("a byte that was changed later ends the link and nothing of it is delivered", "[cluster][noise][MSG-06]") {
    Place place;
    for (int round = 0; round < 2; ++round) {
        TappedWorld world{{round == 0 ? std::nullopt : std::optional{(place.begin + place.end) / 2}, {}, {}}};
        Node *a = nullptr, *b = nullptr;
        place = tell(world, a, b);
        CHECK(b->told.size() == (round == 0 ? 1U : 0U));
        CHECK(b->links.connected() == (round == 0 ? 1U : 0U));
        CHECK(world.wires.front()->closed == (round == 1));
    }
}

TEST_CASE("a link that is cut anywhere delivers nothing that is not whole", "[cluster][noise][MSG-06][CLU-11]") {
    Place text;
    {
        TappedWorld world;
        Node *a = nullptr, *b = nullptr;
        text = tell(world, a, b);
    }
    for (std::size_t place = 0; place < text.end; ++place) {
        CAPTURE(place, text.begin, text.end);
        TappedWorld world;
        world.spoiling.cut_sent = place;
        auto& a = world.start("a", 1, [](LinkOptions& options) { options.peers = {{"b", addresses.at("b")}}; });
        auto& b = world.start("b", 2);
        if (place < text.begin) {
            CHECK(world.until([&] { return !world.wires.empty() && world.wires.front()->closed; }, 1s));
        } else {
            REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
            REQUIRE(a.role.send(b.role.address(), Told{1, "text"}));
        }
        world.time.settle();
        CHECK(a.links.connected() + b.links.connected() == 0);
        CHECK(b.told.empty());
    }
}

TEST_CASE("a recorded session that comes again makes no link", "[cluster][noise][MSG-06]") {
    TappedWorld world;
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    auto& c = world.start("c", 3);
    REQUIRE(world.until([&] { return a.sees("c") && b.sees("c") && c.sees("a") && c.sees("b"); }));
    REQUIRE(a.role.send(b.role.address(), Told{1, "buy"}));
    world.time.settle();
    REQUIRE(b.told.size() == 1);
    const auto recorded = world.wires.front()->sent;  // of a, to b
    const auto answers = world.wires.front()->received;
    REQUIRE(frame_ends(recorded).size() >= 4);

    const auto replay = [&](const std::string& node) {
        CAPTURE(node);
        auto& victim = *world.nodes.at(node);
        const auto heard = victim.heard.size();
        const auto connected = victim.links.connected();
        const Stranger stranger{world, addresses.at(node), recorded};
        CHECK(world.until([&] { return stranger.closed; }, 7s));
        CHECK(frame_ends(stranger.received).size() == 1);  // the listener's part of the handshake, and no more
        CHECK(victim.heard.size() == heard);
        CHECK(victim.links.connected() == connected);
        CHECK(victim.told.size() == (node == "b" ? 1 : 0));
    };
    replay("b");
    replay("c");
    SECTION("to a node that was started anew") {
        world.end("b");
        auto& fresh = world.start("b", 4);
        REQUIRE(world.until([&] { return a.sees("b") && fresh.sees("a") && fresh.sees("c"); }));
        const Stranger stranger{world, addresses.at("b"), recorded};
        CHECK(world.until([&] { return stranger.closed; }, 7s));
        CHECK(fresh.told.empty());
        CHECK(fresh.links.connected() == 2);
    }
    SECTION("when the one who sent it is away") {
        world.end("a");
        replay("b");
        CHECK_FALSE(b.sees("a"));
    }
    SECTION("to a node that dials") {
        world.end("b");
        struct Echo final : transport::ConnectionHandler {
            std::size_t on_bytes(BytesView bytes) override {
                heard += bytes.size();
                return bytes.size();
            }
            void on_closed(const Error& /*why*/) override { ++closed; }
            std::size_t heard = 0;
            int closed = 0;
        };
        Echo echo;
        std::vector<std::shared_ptr<transport::Connection>> connections;
        auto& loop = world.loops.emplace_back(world.time, "stranger");
        const auto listener = world.network.listen(loop, addresses.at("b"), {}, [&](auto connection) {
            connections.push_back(connection);
            connection->start(echo);
            connection->output().append(answers);
        });
        REQUIRE(listener);
        CHECK(world.until([&] { return echo.closed >= 2; }, 20s));
        CHECK_FALSE(a.sees("b"));
        // It has shown nobody its own certificate: of each handshake only the first frame was sent.
        CHECK(echo.heard <= connections.size() * frame_ends(recorded).front());
        for (const auto& connection : connections) connection->close();
    }
    CHECK(c.links.connected() >= 1);
}

}  // namespace gs::cluster::links_test
