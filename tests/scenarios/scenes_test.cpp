// Scenes: what is pushed to those who are in one. Module arena's own test tells the rest.
#include <catch2/catch.hpp>

#include "modules/arena/messages.hpp"
#include "tests/scenarios/hand_over_world.hpp"
#include "tests/scenarios/kit_client.hpp"

using namespace gs;
using namespace gs::scenarios;

namespace {

struct OneNode : TestCluster {
    OneNode() { add_module(trial_module); }
    /// A client is behind soon, and is not closed for it.
    void let_clients_be_slow() {
        set("gateway.queue_bytes_soft", std::int64_t{4096});
        set("gateway.slow_timeout_seconds", std::int64_t{60});
    }
};

Buffer told(const std::vector<std::uint64_t>& distances, const std::string& text) {
    Buffer body;
    msgpack::Writer writer{body};
    writer.array(distances.size());
    for (const auto distance : distances) writer.unsigned_integer(distance);
    wire::write_header(body, {wire::Kind::push, false, command_of<Told>});
    body.append(msgpack::encode(Told{text}));
    return body;
}

}  // namespace

TEST_CASE("what is pushed to a scene goes once to each who is in it, and to each gateway once", "[scenario][RTE-08]") {
    TestCluster cluster{{{"center", {Role::center, Role::storage}},
                         {"game", {Role::game}},
                         {"gate-1", {Role::gateway}},
                         {"gate-2", {Role::gateway}}}};
    cluster.add_module(trial_module);
    cluster.start();
    std::vector<std::unique_ptr<TestClient>> clients;
    for (std::uint64_t id = 1; id <= 6; ++id) {
        // Numbers that are far from each other too.
        const auto who = player(id * id * id * 1'000'003);
        clients.push_back(std::make_unique<TestClient>(cluster, who, id % 2 == 0 ? "gate-1" : "gate-2"));
        if (id <= 4) clients.back()->request(TellScene{"hall", "", true}).value();
    }
    for (auto& client : clients) static_cast<void>(client->pushes<Told>());
    cluster.advance(100ms);
    const auto heard_by = [&](const std::string& gateway) {
        return cluster.metric(gateway, "gameserver_bus_messages_total");
    };
    const auto before = std::pair{heard_by("gate-1"), heard_by("gate-2")};
    clients[0]->request(TellScene{"hall", "hello"}).value();
    CHECK(heard_by("gate-1") - before.first == 1);
    CHECK(heard_by("gate-2") - before.second == 2);  // and the answer
    clients[5]->request(TellScene{"nowhere", "nobody hears"}).value();
    cluster.advance(100ms);
    for (std::size_t index = 0; index < clients.size(); ++index) {
        const auto heard = clients[index]->pushes<Told>();
        REQUIRE(heard.size() == (index < 4 ? 1 : 0));
        if (index < 4) CHECK(heard.front().text == "hello");
    }
    CHECK(cluster.metric("game", "gameserver_scene_pushes_total") == 5);
    CHECK(cluster.metric("game", "gameserver_game_scenes") == 1);
}

TEST_CASE("a turn that fails neither enters a scene nor tells it", "[scenario][RTE-08]") {
    OneNode cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    anna.request(TellScene{"hall", "first", true}).value();
    CHECK(bert.request(TellScene{"hall", "second", true, true}).error().code() == Code::invalid);
    anna.request(TellScene{"hall", "third"}).value();
    const auto heard = anna.pushes<Told>();
    REQUIRE(heard.size() == 2);
    CHECK(heard[0].text == "first");
    CHECK(heard[1].text == "third");
    CHECK(bert.pushes<Told>().empty());
}

TEST_CASE("who comes back while it is saved is in no scene of before", "[scenario][RTE-08]") {
    OneNode cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    bert.request(TellScene{"hall", "here", true}).value();
    bert.request(WriteNotes{"", "", "to be saved"}).value();
    TestClient again{cluster};
    again.hello().value();
    bert.leave();
    // While its player waits for storage.
    again.enter(player(2)).value();
    cluster.advance(1s);
    CHECK(cluster.metric("all", "gameserver_game_players") == 2);
    CHECK(cluster.metric("all", "gameserver_game_scenes") == 0);
    anna.request(TellScene{"hall", "is anyone here", true}).value();
    cluster.advance(100ms);
    CHECK(again.pushes<Told>().empty());
}

TEST_CASE("a scene's name has its bounds, and so has how many a player is in", "[scenario][RTE-08]") {
    OneNode cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    CHECK(anna.request(TellScene{"", "", true}).error().message() == "a scene's name has 1 to 64 bytes, this one 0");
    CHECK(anna.request(TellScene{std::string(65, 's'), "", true}).error().code() == Code::invalid);
    for (int scene = 0; scene < 100; ++scene) anna.request(TellScene{fmt::format("{}", scene), "", true}).value();
    CHECK(anna.request(TellScene{"one more", "", true}).error().code() == Code::limited);
    anna.request(TellScene{"99", "", true}).value();
    // Many in one turn.
    TestClient bert{cluster, player(2)};
    bert.request(TellScene{"hall", "", true, false, false, 200}).value();
    anna.disconnect();
    REQUIRE(cluster.run_until([&] { return cluster.metric("all", "gameserver_game_players") == 1; }, 90s));
    CHECK(cluster.metric("all", "gameserver_game_scenes") == 100);
}

TEST_CASE("a turn that fails does not leave a scene", "[scenario][RTE-08]") {
    OneNode cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    anna.request(TellScene{"hall", "", true}).value();
    CHECK_FALSE(anna.request(TellScene{"hall", "", false, true, true}));
    static_cast<void>(anna.pushes<Told>());
    anna.request(TellScene{"hall", "still in it"}).value();
    CHECK(anna.pushes<Told>().size() == 1);
    anna.request(TellScene{"hall", "", false, false, true}).value();
    anna.request(TellScene{"hall", "not in it"}).value();
    CHECK(anna.pushes<Told>().empty());
}

TEST_CASE("what one player is told comes before what its scene is told later", "[scenario][RTE-08]") {
    OneNode cluster;
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient bert{cluster, player(2)};
    bert.request(TellScene{"hall", "", true}).value();
    static_cast<void>(bert.pushes<Told>());
    anna.request(TellScene{"hall", "all", false, false, false, 0, player(2)}).value();
    const auto told = bert.pushes<Told>();
    REQUIRE(told.size() == 2);
    CHECK(told[0].text == "alone");
    CHECK(told[1].text == "all");
}

TEST_CASE("a game reaches its own players only: stale_scene", "[scenario][RTE-08]") {
    HandOverWorld world;
    TestClient anna{world, player(7), "gate-1"};
    const auto owner = world.game_of(player(7));
    const auto stranger = world.other(owner);
    auto old = world.speak_as(stranger, Role::game);
    old.send_raw(world.address("gate-1", Role::gateway), session::relay_to_players, 0, 0,
                 told({7}, "from a game that was paused"));
    auto current = world.speak_as(owner, Role::game);
    current.send_raw(world.address("gate-1", Role::gateway), session::relay_to_players, 0, 0,
                     told({3, 4, 1}, "from its own"));
    world.advance(100ms);
    const auto heard = anna.pushes<Told>();
    REQUIRE(heard.size() == 1);
    CHECK(heard.front().text == "from its own");
}

TEST_CASE("a list of receivers that is none does no harm", "[scenario][RTE-08]") {
    HandOverWorld world;
    TestClient anna{world, player(7), "gate-1"};
    auto game = world.speak_as(world.game_of(player(7)), Role::game);
    const auto whole = told({7}, "hello");
    for (std::size_t size = 0; size < 3; ++size)
        game.send_raw(world.address("gate-1", Role::gateway), session::relay_to_players, 0, 0,
                      whole.view().first(size));
    game.send_raw(world.address("gate-1", Role::gateway), session::relay_to_players, 0, 0,
                  told({7, std::numeric_limits<std::uint64_t>::max()}, "too far"));
    world.advance(100ms);
    CHECK(anna.pushes<Told>().empty());
    CHECK(anna.request(TellAll{"still there"}));
}

TEST_CASE("a slow client gets the latest state when it reads again, and is not closed for states",
          "[scenario][RTE-08][MSG-04]") {
    OneNode cluster;
    cluster.set("module.arena.frames_per_second", std::int64_t{100});
    cluster.set("gateway.queue_bytes_soft", std::int64_t{4096});
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient slow{cluster, player(2)};
    // Its frames are long, so that its socket is full soon.
    std::vector<std::unique_ptr<TestClient>> others;
    for (std::uint64_t id = 10; id < 40; ++id) {
        others.push_back(std::make_unique<TestClient>(cluster, player(id)));
        others.back()->request(arena::Enter{"north"}).value();
    }
    anna.request(arena::Enter{"north"}).value();
    slow.request(arena::Enter{"north"}).value();
    slow.set_reading(false);
    cluster.advance(20s);
    anna.request(arena::Walk{7, 9}).value();
    cluster.advance(1s);
    CHECK(cluster.metric("all", "gameserver_client_slow_total") == 0);
    const auto replaced = cluster.metric("all", "gameserver_client_states_replaced_total");
    CHECK(replaced > 1000);
    static_cast<void>(slow.pushes<arena::Frame>());
    slow.set_reading(true);
    cluster.advance(1200ms);
    const auto frames = slow.pushes<arena::Frame>();
    REQUIRE(frames.size() > 2);
    for (std::size_t index = 1; index < frames.size(); ++index) CHECK(frames[index].number > frames[index - 1].number);
    const auto latest = anna.pushes<arena::Frame>().back();
    CHECK(frames.back().number == latest.number);
    cluster.advance(1s);
    CHECK(cluster.metric("all", "gameserver_client_states_replaced_total") == replaced);
    CHECK(slow.is_open());
}

TEST_CASE("a state of one's own waits for a slow client too, and what must not be missed keeps its order",
          "[scenario][MSG-03]") {
    OneNode cluster;
    cluster.let_clients_be_slow();
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient slow{cluster, player(2)};
    slow.set_reading(false);
    // 64 KiB fit into its socket.
    for (int count = 0; count < 90; ++count) {
        anna.request(TellPlayers{{player(2)}, fmt::format("{:0>1000}", count)}).value();
        anna.request(TellMood{player(2), fmt::format("mood {}", count)}).value();
    }
    slow.set_reading(true);
    cluster.advance(2s);
    const auto told = slow.pushes<Told>();
    REQUIRE(told.size() == 90);
    for (std::size_t count = 0; count < told.size(); ++count)
        CHECK(told[count].text == fmt::format("{:0>1000}", count));
    const auto moods = slow.pushes<Mood>();
    CHECK(moods.size() < 90);
    CHECK(moods.back().text == "mood 89");
}

TEST_CASE("what stands around a state that waits is sent", "[scenario][MSG-03]") {
    OneNode cluster;
    cluster.let_clients_be_slow();
    cluster.start();
    TestClient anna{cluster, player(1)};
    TestClient slow{cluster, player(2)};
    slow.set_reading(false);
    for (int count = 0; count < 90; ++count)
        anna.request(TellMood{player(2), fmt::format("mood {}", count), fmt::format("{:0>1000}", count)}).value();
    CHECK(cluster.metric("all", "gameserver_client_states_replaced_total") > 20);
    slow.set_reading(true);
    cluster.advance(2s);
    const auto told = slow.pushes<Told>();
    REQUIRE(told.size() == 180);
    for (std::size_t count = 0; count < 90; ++count) {
        CHECK(told[2 * count].text == fmt::format("{:0>1000} before", count));
        CHECK(told[2 * count + 1].text == fmt::format("{:0>1000} after", count));
    }
    CHECK(slow.pushes<Mood>().back().text == "mood 89");
}

TEST_CASE("a state for many is sealed as each client asked", "[scenario][sealing][RTE-08]") {
    OneNode cluster;
    cluster.set("gateway.checksum", true);
    cluster.start();
    TestClient plain{cluster, player(1)};
    KitClient anna{cluster};
    REQUIRE(anna.enter(player(2)));
    plain.request(arena::Enter{"north"}).value();
    anna.send(arena::Enter{"north"});
    cluster.advance(1s);
    CHECK(anna.why.empty());
    CHECK(std::count(anna.pushes.begin(), anna.pushes.end(), command_of<arena::Frame>) > 10);
    CHECK(anna.echo("still here") == "still here");
    CHECK(plain.pushes<arena::Frame>().size() > 10);
}

TEST_CASE("too much that waits for all clients together ends those for whom most waits: queue_bytes_total",
          "[scenario][hostile][NET-14]") {
    OneNode cluster;
    cluster.set("gateway.queue_bytes_total_max", std::int64_t{1024 * 1024});
    cluster.set("gateway.slow_timeout_seconds", std::int64_t{60});
    cluster.start();
    TestClient speaker{cluster, player(1)};
    std::vector<std::unique_ptr<TestClient>> deaf;
    for (std::uint64_t id = 10; id < 20; ++id) {
        deaf.push_back(std::make_unique<TestClient>(cluster, player(id)));
        deaf.back()->set_reading(false);
    }
    TestClient late{cluster, player(2)};
    late.set_reading(false);
    const auto tell = [&](std::uint64_t first, std::uint64_t last, int times) {
        std::vector<PlayerId> receivers;
        for (auto id = first; id <= last; ++id) receivers.push_back(player(id));
        for (int count = 0; count < times; ++count) {
            speaker.request(TellPlayers{receivers, std::string(8000, 'x')}).value();
            cluster.advance(10ms);
        }
    };
    tell(2, 2, 10);    // of which 64 KiB fit into its socket
    tell(10, 19, 30);  // 176 KiB wait for each of them
    cluster.advance(3s);
    CHECK(cluster.metric("all", "gameserver_gateway_queued_bytes") <= 1024 * 1024);
    CHECK(cluster.metric("all", "gameserver_gateway_queued_bytes") > 512 * 1024);
    const auto closed = cluster.metric("all", "gameserver_client_slow_total");
    CHECK(closed >= 4);
    CHECK(closed <= 7);
    CHECK(late.is_open());
    late.set_reading(true);
    cluster.advance(1s);
    CHECK(late.pushes<Told>().size() == 10);
    CHECK(speaker.request(TellAll{"served"}));
}

TEST_CASE("the latest state that waits for a slow client counts in what waits for all clients",
          "[scenario][MSG-04][NET-14]") {
    OneNode cluster;
    cluster.let_clients_be_slow();
    cluster.start();
    const auto waiting = [&] {
        cluster.advance(4s);  // it is added up once a second
        return cluster.metric("all", "gameserver_gateway_queued_bytes");
    };
    TestClient anna{cluster, player(1)};
    TestClient slow{cluster, player(2)};
    slow.set_reading(false);
    // 64 KiB fit into its socket.
    for (int count = 0; count < 10; ++count) anna.request(TellPlayers{{player(2)}, std::string(8000, 'x')}).value();
    const auto before = waiting();
    CHECK(before < 10'000);
    for (int count = 0; count < 3; ++count) anna.request(TellMood{player(2), std::string(15'000, 'm')}).value();
    const auto kept = waiting() - before;
    CHECK(kept > 15'000);
    CHECK(kept < 16'000);
    slow.set_reading(true);
    CHECK(waiting() == 0);
    CHECK(slow.pushes<Mood>().size() == 1);
}

TEST_CASE("a state that has waited is sealed as its client asked", "[scenario][sealing][MSG-04]") {
    OneNode cluster;
    cluster.set("gateway.checksum", true);
    cluster.set("gateway.compress_from", std::int64_t{300});
    cluster.let_clients_be_slow();
    cluster.start();
    TestClient anna{cluster, player(1)};
    KitClient slow{cluster};
    REQUIRE(slow.enter(player(2)));
    slow.set_reading(false);
    std::string text;
    for (int count = 0; count < 500; ++count) text += fmt::format("{} ", count * 7919);  // does not compress well
    for (int count = 0; count < 60; ++count) {
        anna.request(TellPlayers{{player(2)}, text}).value();
        anna.request(TellMood{player(2), fmt::format("{} {}", std::string(1000, 'm'), count)}).value();
    }
    CHECK(cluster.metric("all", "gameserver_client_states_replaced_total") > 10);
    slow.set_reading(true);
    cluster.advance(2s);
    CHECK(slow.why.empty());
    CHECK(slow.echo("still here") == "still here");
    CHECK(std::count(slow.pushes.begin(), slow.pushes.end(), command_of<Told>) == 60);
    const auto moods = std::count(slow.pushes.begin(), slow.pushes.end(), command_of<Mood>);
    CHECK(moods > 0);
    CHECK(moods < 50);
}
