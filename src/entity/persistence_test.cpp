#include <algorithm>
#include <deque>
#include <optional>

#include <catch2/catch.hpp>

#include "entity/persistence.hpp"
#include "runtime/virtual_loop.hpp"

using namespace gs;
using namespace gs::entity;
using namespace std::chrono_literals;

namespace {

enum class Plan { silent, fail, refuse, ok, dup, fenced, conflict };

runtime::Task<> keep_outcome(Persistence* persistence, storage::Commit commit,
                             std::optional<Result<storage::Outcome>>* into) {
    auto outcome = co_await persistence->commit(std::move(commit));
    into->emplace(std::move(outcome));
}

runtime::Task<> keep_opened(Persistence* persistence, EntityKey key, std::optional<Result<storage::Opened>>* into) {
    auto opened = co_await persistence->open(std::move(key));
    into->emplace(std::move(opened));
}

/// A game and a storage role that answers as it is told, on one loop.
struct World {
    World() {
        group.self = Incarnation{7};
        group.serialise_local = true;
        group.buses.push_back(&bus);
        for (const auto role : {Role::game, Role::storage}) group.has_role[static_cast<std::size_t>(role)] = true;
        fake.on_raw(command_of<storage::Commit>, [this](const cluster::Envelope& call) { answer(call); });
        fake.on<storage::Open>([](const cluster::Envelope&, const storage::Open& request) {
            if (request.key.id == 0) throw Error{Code::invalid, "no"};
            return storage::Opened{OwnerEpoch{request.key.id}, {{"wallet", "{}"}}};
        });
    }
    void answer(const cluster::Envelope& call) {
        const auto commit = msgpack::decode<storage::Commit>(call.body).value();
        seen.push_back(fmt::format("{} {} {} {}", commit.entities.at(0).key, commit.entities[0].epoch,
                                   commit.entities[0].sequence, commit.entities[0].components.at(0).data));
        times.push_back(loop.now());
        REQUIRE_FALSE(plan.empty());
        const auto next = plan.front();
        plan.pop_front();
        if (next == Plan::silent) return;
        if (next == Plan::fail) return bus.reply_error(call, {Code::internal, "the disk is full"});
        if (next == Plan::refuse) return bus.reply_error(call, {Code::invalid, "too large"});
        storage::Committed committed;
        if (next == Plan::dup) committed.outcome = storage::Outcome::dup;
        if (next == Plan::fenced) committed.outcome = storage::Outcome::fenced;
        if (next == Plan::conflict) committed.outcome = storage::Outcome::conflict;
        const auto body = msgpack::encode(committed);
        cluster::Envelope reply;
        reply.from = call.to;
        reply.to = call.from;
        reply.kind = cluster::Envelope::Kind::reply;
        reply.command = call.command;
        reply.call_id = call.call_id;
        reply.body = body;
        bus.post(reply);
    }
    void commit() {
        storage::Commit commit;
        commit.entities.push_back({{"player", 5}, OwnerEpoch{3}, 9, {{"wallet", R"({"gold":1})"}}});
        tasks.spawn(keep_outcome(&persistence, std::move(commit), &outcome), "commit");
    }
    bool counted(const std::string& line) const {
        return metrics.to_prometheus_text().find("gameserver_commit_" + line + "\n") != std::string::npos;
    }

    runtime::VirtualTime time;
    runtime::VirtualLoop loop{time, "home"};
    Metrics metrics;
    cluster::BusGroup group;
    cluster::Bus bus{group, loop, 0, metrics};
    cluster::RoleBus game{bus, Role::game}, fake{bus, Role::storage};
    Persistence persistence{game, metrics};
    std::deque<Plan> plan;
    std::vector<std::string> seen;
    std::vector<runtime::Time> times;
    std::optional<Result<storage::Outcome>> outcome;
    std::optional<Result<storage::Opened>> opened;
    runtime::Tasks tasks;
};

}  // namespace

TEST_CASE("a write without an answer is repeated as it was until storage answers", "[entity][persistence][STO-12]") {
    World world;
    world.fake.announce(true, 0, {});
    world.time.settle();
    const bool was_done = GENERATE(false, true);
    world.plan = {Plan::fail, Plan::silent, Plan::fail, was_done ? Plan::dup : Plan::ok};
    world.commit();
    world.time.advance(100ms);
    CHECK_FALSE(world.outcome);
    world.time.advance(30s);
    REQUIRE(world.outcome);
    CHECK(world.outcome->value() == (was_done ? storage::Outcome::dup : storage::Outcome::ok));
    REQUIRE(world.seen.size() == 4);
    for (const auto& write : world.seen) CHECK(write == R"(player:5 3 9 {"gold":1})");
    CHECK(world.counted("repeated_total 3"));
    CHECK(world.counted("fenced_total 0"));
    CHECK(world.counted("seconds_count 1"));
}

TEST_CASE("repeats become rare but never end", "[entity][persistence]") {
    World world;
    world.fake.announce(true, 0, {});
    world.time.settle();
    world.plan.assign(1'000, Plan::fail);
    world.commit();
    world.time.advance(60s);
    CHECK_FALSE(world.outcome);
    CHECK(world.seen.size() > 50);
    CHECK(world.seen.size() < 80);
    CHECK(world.times[1] - world.times[0] <= 20ms);
    CHECK(world.times.back() - world.times[world.times.size() - 2] == 1s);
    world.plan = {Plan::ok};
    world.time.advance(1s);
    CHECK(world.outcome);
}

TEST_CASE("a write waits for storage to come up", "[entity][persistence]") {
    World world;
    world.plan = {Plan::ok};
    world.commit();
    world.time.advance(60s);
    CHECK_FALSE(world.outcome);
    CHECK(world.seen.empty());
    world.fake.announce(true, 0, {});
    world.time.advance(2s);
    REQUIRE(world.outcome);
    CHECK(world.outcome->value() == storage::Outcome::ok);
}

TEST_CASE("what storage decides is not repeated", "[entity][persistence]") {
    World world;
    world.fake.announce(true, 0, {});
    world.time.settle();
    SECTION("fenced is counted") {
        world.plan = {Plan::fenced};
        world.commit();
        world.time.advance(10s);
        REQUIRE(world.outcome);
        CHECK(world.outcome->value() == storage::Outcome::fenced);
        CHECK(world.counted("fenced_total 1"));
    }
    SECTION("conflict") {
        world.plan = {Plan::conflict};
        world.commit();
        world.time.advance(10s);
        REQUIRE(world.outcome);
        CHECK(world.outcome->value() == storage::Outcome::conflict);
    }
    SECTION("a request that is refused") {
        world.plan = {Plan::refuse};
        world.commit();
        world.time.advance(10s);
        REQUIRE(world.outcome);
        CHECK(world.outcome->error().code() == Code::invalid);
    }
    CHECK(world.seen.size() == 1);
    CHECK(world.counted("repeated_total 0"));
}

TEST_CASE("opening an entity gives its epoch or the error of storage", "[entity][persistence][GAM-01]") {
    World world;
    world.tasks.spawn(keep_opened(&world.persistence, {"player", 5}, &world.opened), "open");
    REQUIRE(world.opened);
    CHECK(world.opened->error().code() == Code::unavailable);
    world.fake.announce(true, 0, {});
    world.time.settle();
    world.tasks.spawn(keep_opened(&world.persistence, {"player", 5}, &world.opened), "open");
    world.time.settle();
    CHECK(world.opened->value().epoch == OwnerEpoch{5});
    CHECK(world.opened->value().components.size() == 1);
    world.tasks.spawn(keep_opened(&world.persistence, {"player", 0}, &world.opened), "open");
    world.time.settle();
    CHECK(world.opened->error().code() == Code::invalid);
}

namespace {

/// Links to other nodes that remember what they were given.
struct Carried final : cluster::Carrier {
    bool carry(const cluster::Envelope& envelope) override {
        nodes.push_back(envelope.to.node);
        return true;
    }
    void announce(const cluster::Announcement& /*announcement*/) override {}
    std::vector<Incarnation> nodes;
};

runtime::Task<> drop_loaded(Persistence* persistence, EntityKey key) {
    auto loaded = co_await persistence->load(std::move(key));
    static_cast<void>(loaded);
}

}  // namespace

TEST_CASE("what concerns one key goes to one storage, and to the other one while that is away",
          "[entity][persistence][STO-12]") {
    World world;
    Carried carried;
    world.group.carrier = &carried;
    world.group.node = "here";
    world.group.shards.add(Role::storage, "here");
    world.group.shards.add(Role::storage, "there");
    std::size_t here = 0;
    world.fake.on<storage::Load>([&](const cluster::Envelope&, const storage::Load&) {
        ++here;
        return storage::Loaded{};
    });
    const auto there_is = [&](bool ready) {
        cluster::Announcement state;
        state.role = Role::storage;
        state.ready = ready;
        world.bus.instance_changed({{Incarnation{8}, Role::storage}, "there", state}, true);
    };
    constexpr std::uint64_t keys = 40;
    /// Which of them went to the other node.
    const auto load_all = [&] {
        std::vector<bool> left;
        for (std::uint64_t id = 1; id <= keys; ++id) {
            carried.nodes.clear();
            const auto before = here;
            world.tasks.spawn(drop_loaded(&world.persistence, {"player", id}), "load");
            world.time.settle();
            REQUIRE(here - before + carried.nodes.size() == 1);
            left.push_back(!carried.nodes.empty());
        }
        return left;
    };
    world.fake.announce(true, 0, {});
    there_is(true);
    world.time.settle();
    const auto both = load_all();
    CHECK(std::count(both.begin(), both.end(), true) > 0);
    CHECK(std::count(both.begin(), both.end(), false) > 0);
    CHECK(load_all() == both);
    there_is(false);
    CHECK(load_all() == std::vector<bool>(keys, false));
    there_is(true);
    world.fake.announce(false, 0, {});
    world.time.settle();
    CHECK(load_all() == std::vector<bool>(keys, true));
    world.fake.announce(true, 0, {});
    world.time.settle();
    CHECK(load_all() == both);
    world.group.carrier = nullptr;
}
