#include <catch2/catch.hpp>

#include "cluster/links_world.hpp"

namespace gs::cluster::links_test {
namespace {

TEST_CASE("nodes come up in any order of starting", "[cluster][start_order_free][CLU-06][CLU-10]") {
    std::array<std::string, 3> order{"a", "b", "c"};
    const bool encrypted = GENERATE(false, true);
    do {
        CAPTURE(order, encrypted);
        World world{encrypted};
        world.network.set_piece_bytes(7);
        std::uint64_t incarnation = 100;
        for (const auto& name : order) {
            world.start(name, ++incarnation);
            world.time.advance(3s);
        }
        CHECK(world.until([&] {
            return std::all_of(world.nodes.begin(), world.nodes.end(), [](const auto& entry) {
                return entry.second->links.connected() == 2 && entry.second->role.ready(Role::game).size() == 3;
            });
        }));
        for (auto& [from, node] : world.nodes) {
            for (const auto& instance : node->role.ready(Role::game)) {
                auto& caller = *node;
                caller.result.reset();
                caller.tasks.spawn(
                    keep_result(caller.role.call(instance.address, Measure{std::string(3'000, 'm')}), &caller.result),
                    "call");
                CHECK(world.until([&caller] { return caller.result.has_value(); }, 1s));
                CHECK(node->result->value().bytes == 3'000);
                CHECK(node->result->value().node == instance.node);
            }
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("messages between two nodes keep their order", "[cluster][CLU-11]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    for (std::uint32_t number = 0; number < 1'000; ++number) {
        REQUIRE(a.role.send(b.role.address(), Told{number, std::string(number % 50, 't')}));
        if (number % 70 == 0) world.time.settle();
    }
    world.time.settle();
    REQUIRE(b.told.size() == 1'000);
    CHECK(std::is_sorted(b.told.begin(), b.told.end()));
    CHECK(a.role.publish(Role::game, Told{5'000, {}}) == 2);
    world.time.settle();
    CHECK(a.told.size() == 1);
    CHECK(b.told.back() == 5'000);
}

TEST_CASE("silence takes a link down after the timeout and it comes back by itself", "[cluster][CLU-10][NET-12]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    world.time.advance(30s);
    REQUIRE(a.links.connected() == 1);
    CHECK(a.heard.size() == 2);  // itself and the other, once

    auto& pending = a.call_silence(b.role.address());
    world.time.settle();
    world.network.set_cut(addresses.at("b"), true);
    world.time.advance(3900ms);
    CHECK(a.sees("b"));
    CHECK(b.sees("a"));
    CHECK_FALSE(pending);
    world.time.advance(3s);
    CHECK_FALSE(a.sees("b"));
    CHECK_FALSE(b.sees("a"));
    CHECK(a.links.connected() == 0);
    CHECK(b.links.connected() == 0);
    REQUIRE(pending);
    CHECK(pending->error().code() == Code::deadline);
    CHECK_FALSE(a.role.send(b.role.address(), Told{1, {}}));

    world.time.advance(60s);
    CHECK(a.links.connected() == 0);
    world.network.set_cut(addresses.at("b"), false);
    CHECK(world.until([&] { return a.sees("b") && b.sees("a"); }, 2500ms));
    CHECK(a.role.send(b.role.address(), Told{2, {}}));
    world.time.settle();
    CHECK((b.told == std::vector<std::uint32_t>{2}));
    CHECK((a.heard.back() == std::pair<std::string, bool>{"b", true}));
}

TEST_CASE("attempts to reach a missing node become rare", "[cluster][CLU-10]") {
    runtime::VirtualTime time;
    runtime::VirtualLoop loop{time, "a"};
    CountingTransport network;
    Node node{loop, network, "a", 1, [](LinkOptions& options) { options.peers = {{"b", addresses.at("b")}}; }};
    node.start();
    time.advance(1s);
    CHECK(network.times.size() >= 4);  // soon at first
    time.advance(60s);
    const auto before = network.times.size();
    time.advance(60s);
    const auto in_a_minute = network.times.size() - before;
    CHECK(in_a_minute >= 30);  // at least every two seconds
    CHECK(in_a_minute <= 120);
    std::vector<runtime::Duration> waits;
    for (std::size_t index = before + 1; index < network.times.size(); ++index) {
        waits.push_back(network.times[index] - network.times[index - 1]);
        CHECK(waits.back() <= 2s);
    }
    CHECK(std::count(waits.begin(), waits.end(), waits.front()) < 3);  // not in step with others
    node.links.stop();
}

TEST_CASE("a node that ends is known at once and calls to it end", "[cluster][call_to_dead_node_ends][MSG-02]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    const auto address = b.role.address();
    auto& pending = a.call_silence(address);
    world.time.settle();
    CHECK_FALSE(pending);
    world.end("b");
    REQUIRE(pending);
    CHECK(pending->error().code() == Code::deadline);  // whether it was done is unknown
    CHECK_FALSE(a.sees("b"));
    a.result.reset();
    auto& after = a.call_silence(address);
    REQUIRE(after);
    CHECK(after->error().code() == Code::unavailable);
    CHECK_FALSE(a.role.send(address, Told{1, {}}));
}

TEST_CASE("a restarted node gets no message meant for its earlier run", "[cluster][fast_restart_incarnation][CLU-10]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    // The links are dialled by the node whose name sorts first: try the restart on either end.
    const std::string restarted = GENERATE(as<std::string>{}, "a", "b");
    const std::string other = restarted == "a" ? "b" : "a";
    auto& old = world.start(restarted, 1);
    auto& stays = world.start(other, 2);
    REQUIRE(world.until([&] { return old.sees(other) && stays.sees(restarted); }));
    const auto old_address = old.role.address();
    auto& pending = stays.call_silence(old_address);
    world.time.settle();

    const bool told = GENERATE(true, false);
    CAPTURE(restarted, told);
    told ? world.end(restarted) : world.lose(restarted);
    const bool taken = stays.role.send(old_address, Told{1, {}});
    CHECK(taken == !told);  // the link seems to be up
    auto& fresh = world.start(restarted, 3);
    static_cast<void>(stays.role.send(old_address, Told{2, {}}));
    REQUIRE(world.until([&] { return fresh.sees(other) && stays.bus.find(fresh.role.address()) != nullptr; }));
    CHECK(stays.bus.find(old_address) == nullptr);
    REQUIRE(pending);
    CHECK(pending->error().code() == Code::deadline);
    CHECK_FALSE(stays.role.send(old_address, Told{3, {}}));
    CHECK(stays.role.send(fresh.role.address(), Told{4, {}}));
    world.time.advance(10s);
    CHECK((fresh.told == std::vector<std::uint32_t>{4}));
    CHECK(stays.links.connected() == 1);
}

TEST_CASE("a second process with the name of a node that lives gets no link and says so seldom",
          "[cluster][CLU-09][CLU-10]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    // The links are dialled by the node whose name sorts first: the namesake dials, or is dialled by one more process.
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    const auto first = a.role.address();
    auto& loop = world.loops.emplace_back(world.time, "namesake");
    Node namesake{loop, world.counting, "a", 9, [&](LinkOptions& options) {
                      options.listen = "10.0.0.9:7100";
                      options.encrypted = world.encrypted;
                  }};
    const auto heard = b.heard.size();
    namesake.start();
    world.time.advance(60s);
    CHECK(b.heard.size() == heard);  // its link to the first one stands
    CHECK(b.bus.find(first) != nullptr);
    CHECK(b.bus.find(namesake.role.address()) == nullptr);
    CHECK(a.sees("b"));
    CHECK_FALSE(namesake.sees("b"));
    const auto complaints = [](Node& node) { return node.metrics.to_prometheus_text(); };
    CHECK_THAT(complaints(b), Catch::Contains("gameserver_link_complaints_total 2\n"));
    CHECK_THAT(complaints(namesake), Catch::Contains("gameserver_link_complaints_total 2\n"));

    const bool told = GENERATE(true, false);
    told ? world.end("a") : world.lose("a");
    REQUIRE(world.until([&] { return namesake.sees("b"); }, 8s));
    CHECK(b.bus.find(first) == nullptr);
}

TEST_CASE("a node of another cluster or with another name gets no link", "[cluster][CLU-09]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    const auto change = GENERATE(0, 1, 2);
    CAPTURE(change);
    auto& a = world.start("a", 1, [&](LinkOptions& options) {
        if (change == 0) options.cluster = "other";
        if (change == 1) options.peers = {{"b", addresses.at("c")}, {"c", addresses.at("b")}};  // names exchanged
    });
    auto& b = world.start("b", 2, [&](LinkOptions& options) {
        if (change == 2) options.peers.clear();  // does not know the other one
    });
    world.time.advance(20s);
    CHECK(a.links.connected() == 0);
    CHECK(b.links.connected() == 0);
    CHECK_FALSE(a.sees("b"));
    CHECK_FALSE(b.sees("a"));
    CHECK_FALSE(a.role.send(b.role.address(), Told{1, {}}));
    CHECK(world.counting.times.size() < 100);  // three pairs of nodes, each tried once a second or less
}

TEST_CASE("nodes whose configs name other centers get no link", "[cluster][CLU-09][CEN-06]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    const bool alike = GENERATE(true, false);
    CAPTURE(alike);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    for (const auto* center : {"one", "two"}) a.group.shards.add(Role::center, center);
    b.group.shards.add(Role::center, "two");
    if (alike) b.group.shards.add(Role::center, "one");
    world.time.advance(20s);
    CHECK(a.links.connected() == (alike ? 1 : 0));
    CHECK(b.links.connected() == (alike ? 1 : 0));
    // Tried again every second or two, and said at once and no more in 20 s.
    for (auto* node : {&a, &b}) {
        CHECK_THAT(node->metrics.to_prometheus_text(),
                   Catch::Contains(fmt::format("gameserver_link_complaints_total {}\n", alike ? 0 : 1)));
    }
}

TEST_CASE("what does not speak the protocol of links is closed and harms nobody", "[cluster][CLU-10]") {
    class Stranger final : public transport::ConnectionHandler {
    public:
        std::size_t on_bytes(BytesView bytes) override { return bytes.size(); }
        void on_closed(const Error& /*why*/) override { closed = true; }
        bool closed = false;
    };
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    const auto bytes = GENERATE(
        std::string{"GET / HTTP/1.1\r\n\r\n"}, std::string{"\0\0\0\0", 4}, std::string{"\4\0\0\0GSL1", 8},
        std::string{"\x0a\0\0\0GSL1\xc1\xc1\xc1\xc1\xc1\xc1", 14}, std::string{"\xff\xff\xff\xff", 4}, std::string{});
    CAPTURE(bytes.size());
    Stranger stranger;
    std::shared_ptr<transport::Connection> connection;
    world.network.connect(world.loops[0], addresses.at("b"), 1s, [&](auto got) {
        connection = std::move(got).value();
        connection->start(stranger);
        connection->output().append(as_bytes(bytes));
    });
    CHECK(world.until([&] { return stranger.closed; }, 8s));
    CHECK(b.links.connected() == 1);
    CHECK(a.sees("b"));
    CHECK(b.sees("a"));
    connection->close();
}

TEST_CASE("a link whose queue is full refuses messages and counts them", "[cluster][CLU-11]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1, [](LinkOptions& options) { options.queue_bytes_max = 1'000; });
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    world.time.settle();
    int taken = 0;
    for (std::uint32_t number = 0; number < 10; ++number) {
        taken += a.role.send(b.role.address(), Told{number, std::string(400, 'q')}) ? 1 : 0;
    }
    CHECK(taken == 3);
    auto& refused = a.call_silence(b.role.address());
    REQUIRE(refused);
    CHECK(refused->error().code() == Code::unavailable);
    CHECK_THAT(a.metrics.to_prometheus_text(), Catch::Contains("gameserver_link_refused_total 8"));
    world.time.settle();
    CHECK((b.told == std::vector<std::uint32_t>{0, 1, 2}));
    CHECK(a.role.send(b.role.address(), Told{11, {}}));
    world.time.settle();
    CHECK(b.told.back() == 11);
    CHECK(a.links.connected() == 1);
}

TEST_CASE("answers pass a full queue so that no caller is left without one", "[cluster][CLU-11]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2, [](LinkOptions& options) { options.queue_bytes_max = 0; });
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    std::array<std::optional<Result<Length>>, 3> results;
    for (auto& result : results)
        a.tasks.spawn(keep_result(a.role.call(b.role.address(), Measure{"x"}), &result), "call");
    const auto answered = [&] {
        return std::all_of(results.begin(), results.end(), [](const auto& result) { return result.has_value(); });
    };
    REQUIRE(world.until(answered, 1s));
    for (auto& result : results) CHECK(result->value().bytes == 1);
}

TEST_CASE("a message too long for a link is answered with an error and the link stays up",
          "[cluster][CLU-11][MSG-02]") {
    constexpr std::size_t frame = 16U << 20U;
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    const auto measure = [&](std::size_t bytes) {
        a.result.reset();
        a.tasks.spawn(keep_result(a.role.call(b.role.address(), Measure{std::string(bytes, 'm')}), &a.result), "call");
        REQUIRE(world.until([&] { return a.result.has_value(); }, 100ms));  // not only at the deadline
        return *a.result;
    };
    CHECK(measure(frame - 100).value().bytes == frame - 100);
    SECTION("a call") {
        const auto refused = measure(frame);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code() == Code::invalid);  // sending it again will not help
        CHECK(refused.error().message() ==
              "a message of 16777222 bytes is too long for a link between nodes (at most 16777152)");
    }
    SECTION("a reply") {
        const auto answered = measure(too_much_to_answer);
        REQUIRE_FALSE(answered.has_value());
        CHECK(answered.error().code() == Code::invalid);
        CHECK_THAT(answered.error().message(), Catch::Contains("is too long for a link between nodes"));
        CHECK_THAT(b.metrics.to_prometheus_text(), Catch::Contains("gameserver_link_refused_total 1"));
    }
    SECTION("a note") { CHECK_FALSE(a.role.send(b.role.address(), Told{1, std::string(frame, 'm')})); }
    CHECK(a.links.connected() == 1);
    CHECK(b.links.connected() == 1);
    CHECK(a.role.send(b.role.address(), Told{2, {}}));
    world.time.settle();
    CHECK((b.told == std::vector<std::uint32_t>{2}));
    CHECK(measure(1'000).value().bytes == 1'000);
}

TEST_CASE("a role that changes its announcement is heard on every node", "[cluster][CLU-02][CLU-03]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    b.role.announce(true, 17, "127.0.0.1:9");
    world.time.settle();
    REQUIRE(a.bus.find(b.role.address()) != nullptr);
    CHECK(a.bus.find(b.role.address())->state.load == 17);
    CHECK(a.bus.find(b.role.address())->state.endpoint == "127.0.0.1:9");
    b.role.announce(false, 0, {});
    world.time.settle();
    CHECK_FALSE(a.sees("b"));
    CHECK((a.heard.back() == std::pair<std::string, bool>{"b", false}));
    CHECK(a.links.connected() == 1);
}

TEST_CASE("a command that the other node does not have ends a call at once", "[cluster][CLU-11]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    auto& no_role = a.call_silence({Incarnation{2}, Role::center});
    CHECK(world.until([&] { return no_role.has_value(); }, 1s));
    CHECK(no_role->error().code() == Code::unavailable);
}

TEST_CASE("a single node needs no links", "[cluster][CLU-08]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    auto& a = world.start("a", 1, [](LinkOptions& options) {
        options.listen.clear();
        options.peers.clear();
    });
    world.time.advance(10s);
    CHECK(a.sees("a"));
    CHECK(a.links.address().empty());
    CHECK(a.role.send(a.role.address(), Told{1, {}}));
    world.time.settle();
    CHECK(a.told.size() == 1);
}

TEST_CASE("a port of links that is taken is said with the name of the node", "[cluster][CLU-09]") {
    World world{GENERATE(false, true)};
    CAPTURE(world.encrypted);
    world.start("a", 1);
    runtime::VirtualLoop loop{world.time, "second"};
    Node second{loop, world.network, "a", 2, {}};
    const auto started = second.links.start();
    REQUIRE_FALSE(started);
    CHECK_THAT(started.error().message(), Catch::Contains("node a") && Catch::Contains("7100"));
}

}  // namespace
}  // namespace gs::cluster::links_test
