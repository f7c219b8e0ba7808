#include <optional>

#include <catch2/catch.hpp>

#include "roles/center/channels.hpp"
#include "runtime/virtual_loop.hpp"

using namespace gs;
using namespace gs::center;
using namespace std::chrono_literals;

namespace {

template <class T>
runtime::Task<> keep(runtime::Task<T> task, std::optional<Result<T>>* into) {
    try {
        auto value = co_await std::move(task);
        into->emplace(std::move(value));
    } catch (const Error& error) {
        into->emplace(error);
    }
}

runtime::Task<storage::Record> read_slowly(runtime::Loop* loop, runtime::Duration pause) {
    co_await runtime::sleep(*loop, pause);
    co_return storage::Record{};
}

/// Channels whose storage is empty and slow, and a gateway that listens to nothing.
struct World {
    World() {
        group.self = Incarnation{7};
        group.buses.push_back(&bus);
        for (const auto role : {Role::center, Role::storage, Role::gateway}) {
            group.has_role[static_cast<std::size_t>(role)] = true;
        }
        fake.on<storage::ReadRecord>([this](RoleAddress, storage::ReadRecord) { return read_slowly(&loop, pause); });
        fake.on<storage::Commit>(
            [](const cluster::Envelope&, const storage::Commit&) { return storage::Committed{storage::Outcome::ok}; });
        fake.announce(true, 0, {});
        gateway.announce(true, 0, {});
        time.settle();
    }
    using Joined = std::optional<Result<session::ChannelJoined>>;
    using Appended = std::optional<Result<session::ChannelAppended>>;
    Joined& join(std::uint64_t player, const std::string& channel) {
        session::ChannelJoin request;
        request.channel = channel;
        request.player = PlayerId{player};
        request.gateway = {group.self, Role::gateway};
        auto& into = *joins.emplace_back(std::make_unique<Joined>());
        tasks.spawn(keep(channels.join(std::move(request)), &into), "join");
        return into;
    }
    Appended& append(const std::string& channel) {
        session::ChannelAppend request;
        request.channel = channel;
        request.command = 1204;
        request.keep = 20;
        request.line = Binary{0x91, 0x00};  // an array of one: its number
        auto& into = *appends.emplace_back(std::make_unique<Appended>());
        tasks.spawn(keep(channels.append(std::move(request), loop.now()), &into), "append");
        return into;
    }

    runtime::VirtualTime time;
    runtime::VirtualLoop loop{time, "home"};
    Metrics metrics;
    cluster::BusGroup group;
    cluster::Bus bus{group, loop, 0, metrics};
    cluster::RoleBus role{bus, Role::center}, fake{bus, Role::storage}, gateway{bus, Role::gateway};
    runtime::Duration pause{};
    entity::Persistence persistence{role, metrics};
    Channels channels{role, persistence, loop, metrics};
    std::vector<std::unique_ptr<Joined>> joins;
    std::vector<std::unique_ptr<Appended>> appends;
    runtime::Tasks tasks;
};

constexpr std::size_t waiting_max = 10'000;

}  // namespace

TEST_CASE("a join that is refused leaves no channel behind", "[center][RTE-06][hostile]") {
    World world;
    for (int number = 0; number < 100; ++number) {
        auto& joined = world.join(1, fmt::format("channel {}", number));
        world.time.settle();
        REQUIRE(joined);
        REQUIRE(joined->has_value());
    }
    CHECK(world.channels.size() == 100);
    for (int number = 100; number < 150; ++number) {
        auto& refused = world.join(1, fmt::format("channel {}", number));
        world.time.settle();
        REQUIRE(refused);
        REQUIRE_FALSE(refused->has_value());
        CHECK(refused->error().code() == Code::limited);
        CHECK(refused->error().message() == "a player can be in 100 channels at once");
    }
    CHECK(world.channels.size() == 100);
    auto& other = world.join(2, "channel 100");
    world.time.settle();
    CHECK(other->has_value());
}

TEST_CASE("a channel whose storage is slow lets a bounded number wait and then serves them in order",
          "[center][RTE-06][hostile]") {
    World world;
    world.pause = 3s;
    auto& first = world.join(1, "market");
    world.time.advance(100ms);
    CHECK_FALSE(first);
    for (std::size_t count = 0; count < waiting_max; ++count) world.append("market");
    for (auto* refused : {&world.append("market"), &world.append("market")}) {
        REQUIRE(*refused);
        CHECK((*refused)->error().code() == Code::busy);
        CHECK((*refused)->error().message() == "channel \"market\" waits for storage");
    }
    auto& late = world.join(2, "market");
    REQUIRE(late);
    CHECK(late->error().code() == Code::busy);
    auto& elsewhere = world.append("forum");  // others are not held up
    world.time.advance(3s);
    CHECK(elsewhere->value().number == 1);
    CHECK(first->has_value());
    for (std::size_t count = 0; count < waiting_max; ++count) {
        REQUIRE(*world.appends[count]);
        REQUIRE((*world.appends[count])->value().number == count + 1);
    }
}

TEST_CASE("who joins through a gateway that is lost meanwhile leaves nothing behind", "[center][RTE-06]") {
    World world;
    world.pause = 3s;
    auto& joined = world.join(1, "market");
    world.time.advance(1s);
    world.bus.instance_changed({world.gateway.address(), "home", {Role::gateway, false, 0, {}}}, false);
    world.time.advance(3s);
    REQUIRE(joined);
    REQUIRE_FALSE(joined->has_value());
    CHECK(joined->error().code() == Code::unavailable);
    CHECK(world.channels.size() == 0);
}

TEST_CASE("any number of players may wait to join one channel", "[center][RTE-06]") {
    World world;
    world.pause = 3s;
    for (std::uint64_t id = 1; id <= waiting_max; ++id) world.join(id, "market");
    world.time.advance(4s);
    for (const auto& joined : world.joins) {
        REQUIRE(*joined);
        REQUIRE((*joined)->has_value());
    }
}
