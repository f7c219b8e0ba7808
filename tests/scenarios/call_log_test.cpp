// Which requests are logged when an operator asks for it while the cluster runs.
#include <algorithm>

#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"
#include "modules/profile/messages.hpp"
#include "tests/scenarios/captured_log.hpp"
#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/trial_module.hpp"

using namespace gs;
using namespace gs::scenarios;
using session::LogCalls;

namespace {

struct World : TestCluster {
    explicit World(bool log_all = false) {
        add_module(trial_module);
        if (log_all) set("game.log_calls", true);
        start();
        log::set_level(log::Level::info);
    }
    [[nodiscard]] Result<Done> order(const std::string& whom, std::int64_t seconds) {
        return call(Role::game, LogCalls{whom, seconds});
    }
    [[nodiscard]] Code refusal(const std::string& whom, std::int64_t seconds) {
        const auto done = order(whom, seconds);
        return done ? Code::ok : done.error().code();
    }
    /// The lines that such requests have made since it was asked last, without their times.
    [[nodiscard]] std::vector<std::string> calls() {
        std::vector<std::string> found;
        const auto all = captured.lines();
        for (; seen < all.size(); ++seen) {
            for (const auto* word : {" call ", " done "}) {
                const auto at = all[seen].find(word);
                if (at != std::string::npos) found.push_back(all[seen].substr(at + 1));
            }
        }
        return found;
    }
    /// The same, how many.
    template <class... Clients>
    std::size_t calls_of(Clients&... clients) {
        static_cast<void>(calls());
        (clients.request(echo::Echo{"hello"}).value(), ...);
        return calls().size();
    }
    Captured captured;
    std::size_t seen = 0;
};

}  // namespace

TEST_CASE("the requests of one player are logged, for as long as it was said", "[scenario][MSG-12]") {
    World world;
    TestClient anna{world, player(1)};
    TestClient bert{world, player(2)};
    CHECK(world.calls_of(anna, bert) == 0);
    world.order("player:1", 60).value();
    CHECK(world.calls_of(bert) == 0);
    anna.request(echo::Echo{"hello"}).value();
    const auto lines = world.calls();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].starts_with("call "));
    CHECK(lines[0].find(" of player 1: ") != std::string::npos);
    CHECK(lines[0].find("hello") != std::string::npos);
    CHECK(lines[1].starts_with("done "));
    CHECK(lines[1].find(" of player 1 in ") != std::string::npos);
    world.advance(59s);
    CHECK(world.calls_of(anna) == 2);
    world.advance(1s);
    CHECK(world.calls_of(anna) == 0);
}

TEST_CASE("a later order for the same player counts from its own time", "[scenario][MSG-12]") {
    World world;
    TestClient anna{world, player(1)};
    world.order("player:1", 10).value();
    world.advance(9s);
    world.order("player:1", 10).value();
    world.advance(9s);
    CHECK(world.calls_of(anna) == 2);
    world.advance(1s);
    CHECK(world.calls_of(anna) == 0);
}

TEST_CASE("the requests to one module are logged, and of all players", "[scenario][MSG-12]") {
    World world;
    TestClient anna{world, player(1)};
    TestClient bert{world, player(2)};
    world.order("module:echo", 60).value();
    world.order("player:2", 60).value();
    CHECK(world.calls_of(anna) == 2);
    CHECK(world.calls_of(bert) == 2);
    anna.request(CountGold{}).value();
    CHECK(world.calls().empty());
    bert.request(CountGold{}).value();
    CHECK(world.calls().size() == 2);
    world.order("module:echo", 0).value();
    CHECK(world.calls_of(anna) == 0);
    CHECK(world.calls_of(bert) == 2);
    world.order("all", 60).value();
    anna.request(CountGold{}).value();
    CHECK(world.calls().size() == 2);
    world.order("player:2", 0).value();
    CHECK(world.calls_of(anna, bert) == 4);
    world.order("player:2", 60).value();
    world.order("module:echo", 60).value();
    world.order("all", 0).value();  // ends the others too
    CHECK(world.calls_of(anna, bert) == 0);
    world.order("module:profile", 60).value();  // and they stay ended
    CHECK(world.calls_of(anna, bert) == 0);
}

TEST_CASE("what is secret is not in a line that an operator asked for", "[scenario][MSG-12]") {
    World world;
    TestClient anna{world, player(1)};
    world.order("player:1", 60).value();
    anna.request(profile::SetEmail{"anna@example.org"}).value();
    const auto lines = world.calls();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("SetEmail of player 1: ") != std::string::npos);
    CHECK(lines[0].find("anna@") == std::string::npos);
}

TEST_CASE("orders to log what cannot be are refused", "[scenario][MSG-12][hostile]") {
    World world;
    for (const auto* whom : {"", "player:", "player:0", "player:x", "51", "everybody", "module"})
        CHECK(world.refusal(whom, 60) == Code::invalid);
    CHECK(world.refusal("module:nothing", 60) == Code::not_found);
    CHECK(world.refusal("all", -1) == Code::invalid);
    CHECK(world.refusal("all", 86'401) == Code::invalid);
    CHECK(world.order("all", 86'400).has_value());
    CHECK(world.order("all", 0).has_value());
    for (int count = 1; count <= 100; ++count) REQUIRE(world.order(fmt::format("player:{}", count), 60).has_value());
    CHECK(world.refusal("player:101", 60) == Code::limited);
    CHECK(world.order("player:100", 60).has_value());
    CHECK(world.order("player:100", 0).has_value());
    CHECK(world.order("player:101", 60).has_value());
}

TEST_CASE("a game that logs all requests from its start goes on whatever an operator ends", "[scenario][MSG-12]") {
    World world{true};
    TestClient anna{world, player(1)};
    CHECK(world.calls_of(anna) == 2);
    world.order("player:1", 1).value();
    world.advance(2s);
    CHECK(world.calls_of(anna) == 2);
    world.order("all", 1).value();
    world.advance(2s);
    CHECK(world.calls_of(anna) == 2);
    world.order("all", 0).value();
    CHECK(world.calls_of(anna) == 2);
}
