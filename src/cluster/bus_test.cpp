#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include <catch2/catch.hpp>

#include "cluster/bus.hpp"
#include "runtime/epoll_loop.hpp"
#include "runtime/virtual_loop.hpp"

namespace gs::cluster::bus_test {

struct Product {
    std::int64_t value = 0;
    std::string text;
    std::optional<std::uint32_t> none;
    bool operator==(const Product&) const = default;
    FIELDS(value, text, none)
};
struct Multiply {
    std::int32_t left = 0, right = 0;
    std::string text;
    FIELDS(left, right, text)
};
struct Slow {
    std::uint32_t delay_ms = 0;
    FIELDS(delay_ms)
};
struct Unheard {
    std::uint32_t number = 0;
    FIELDS(number)
};
struct Told {
    std::uint32_t number = 0;
    FIELDS(number)
};
GS_CALL(210, Multiply, Product)
GS_CALL(211, Slow, Product)
GS_CALL(212, Unheard, Product)
GS_NOTE(213, Told)

namespace {

using namespace std::chrono_literals;
using runtime::Task;

template <class T>
Task<> keep_result(runtime::Future<Result<T>> future, std::optional<Result<T>>* into) {
    auto result = co_await std::move(future);
    into->emplace(std::move(result));
}

Task<> keep_found(RoleBus bus, std::optional<RoleAddress>* into) {
    const auto found = co_await bus.wait_for(Role::storage);
    *into = found;
}

Result<Product> multiply(const Multiply& request) {
    if (request.text == "refuse") return Error{Code::forbidden, "not {}", request.left};
    if (request.text == "fall") throw std::out_of_range{"secret details"};
    return Product{std::int64_t{request.left} * request.right, request.text + "!", {}};
}

Task<Product> answer_slowly(runtime::Loop* loop, Slow request) {
    co_await runtime::sleep(*loop, std::chrono::milliseconds{request.delay_ms});
    if (request.delay_ms == 13) throw Error{Code::conflict, "thirteen"};
    if (request.delay_ms == 14) throw std::runtime_error{"fourteen"};
    Product product;
    product.value = request.delay_ms;
    co_return product;
}

/// Two roles on one loop of virtual time.
struct OneLoop {
    explicit OneLoop(bool serialise_local) {
        group.self = Incarnation{7};
        group.node = "alone";
        group.serialise_local = serialise_local;
        group.buses.push_back(&bus);
        for (const auto role : {Role::game, Role::storage}) group.has_role[static_cast<std::size_t>(role)] = true;
        storage.on<Multiply>([](const Envelope&, const Multiply& request) { return multiply(request).value(); });
        storage.on<Slow>([this](RoleAddress, Slow request) { return answer_slowly(&loop, request); });
        storage.on<Told>([this](const Envelope& envelope, const Told& note) {
            told.push_back(note.number);
            subjects.push_back(envelope.subject);
            if (note.number == 666) throw std::runtime_error{"expected in this test"};
        });
    }
    template <class Request>
    std::optional<Result<Product>>& call(RoleAddress to, Request request,
                                         runtime::Duration deadline = default_deadline) {
        results.push_back(std::make_unique<std::optional<Result<Product>>>());
        tasks.spawn(keep_result(game.call(to, std::move(request), deadline), results.back().get()), "call");
        return *results.back();
    }

    runtime::VirtualTime time;
    runtime::VirtualLoop loop{time, "home"};
    Metrics metrics;
    BusGroup group;
    Bus bus{group, loop, 0, metrics};
    RoleBus game{bus, Role::game}, storage{bus, Role::storage};
    std::vector<std::uint32_t> told;
    std::vector<std::uint64_t> subjects;
    std::vector<std::unique_ptr<std::optional<Result<Product>>>> results;
    runtime::Tasks tasks;
};

TEST_CASE("a call ends with its reply", "[cluster][CLU-11][MSG-02]") {
    OneLoop world{GENERATE(false, true)};
    auto& result = world.call(world.storage.address(), Multiply{6, -7, std::string(100, 'x')});
    CHECK_FALSE(result);  // never inside the call
    world.time.settle();
    REQUIRE(result);
    Product expected;
    expected.value = -42;
    expected.text = std::string(100, 'x');
    expected.text += '!';
    CHECK((result->value() == expected));
}

TEST_CASE("many calls at once each get their own reply", "[cluster][CLU-11][MSG-02]") {
    OneLoop world{GENERATE(false, true)};
    std::vector<std::optional<Result<Product>>*> results;
    for (std::uint32_t number = 0; number < 200; ++number) {
        results.push_back(&world.call(world.storage.address(), Slow{100 + (number * 37) % 100}));
    }
    world.time.advance(1s);
    for (std::uint32_t number = 0; number < 200; ++number) {
        REQUIRE(*results[number]);
        CHECK((*results[number])->value().value == 100 + (number * 37) % 100);
    }
}

TEST_CASE("what a handler throws is the error of the call", "[cluster][CLU-11][MSG-02]") {
    OneLoop world{GENERATE(false, true)};
    auto& refused = world.call(world.storage.address(), Multiply{6, 7, "refuse"});
    auto& fallen = world.call(world.storage.address(), Multiply{6, 7, "fall"});
    auto& task_refused = world.call(world.storage.address(), Slow{13});
    auto& task_fallen = world.call(world.storage.address(), Slow{14});
    world.time.advance(20ms);
    REQUIRE(refused);
    CHECK(refused->error().code() == Code::forbidden);
    CHECK(refused->error().message() == "not 6");
    REQUIRE(fallen);
    CHECK(fallen->error().code() == Code::internal);
    CHECK_THAT(fallen->error().message(), !Catch::Contains("secret"));
    REQUIRE(task_refused);
    CHECK(task_refused->error().code() == Code::conflict);
    REQUIRE(task_fallen);
    CHECK(task_fallen->error().code() == Code::internal);
}

TEST_CASE("a note whose handler falls does not take the loop with it", "[cluster][CLU-11]") {
    OneLoop world{GENERATE(false, true)};
    CHECK(world.game.send(world.storage.address(), Told{666}));
    CHECK(world.game.send(world.storage.address(), Told{1}));
    world.time.settle();
    CHECK((world.told == std::vector<std::uint32_t>{666, 1}));
}

TEST_CASE("a call without an answer ends at its deadline", "[cluster][CLU-11][MSG-02]") {
    OneLoop world{GENERATE(false, true)};
    world.storage.on_raw(command_of<Unheard>, [](const Envelope&) {});
    auto& unheard = world.call(world.storage.address(), Unheard{1}, 100ms);
    auto& late = world.call(world.storage.address(), Slow{200}, 100ms);
    auto& in_time = world.call(world.storage.address(), Slow{99}, 100ms);
    world.time.advance(99ms);
    CHECK_FALSE(unheard);
    CHECK_FALSE(late);
    CHECK(in_time);
    world.time.advance(1ms);
    REQUIRE(unheard);
    CHECK(unheard->error().code() == Code::deadline);
    CHECK_THAT(unheard->error().message(), Catch::Contains("Unheard"));
    REQUIRE(late);
    CHECK(late->error().code() == Code::deadline);
    world.time.advance(1s);  // the late answer finds nobody
    CHECK(late->error().code() == Code::deadline);
}

TEST_CASE("a command or role that is not there ends a call at once", "[cluster][CLU-11]") {
    OneLoop world{GENERATE(false, true)};
    auto& unknown = world.call(world.storage.address(), Unheard{1});
    auto& no_role = world.call({world.group.self, Role::login}, Unheard{1});
    auto& no_node = world.call({Incarnation{99}, Role::storage}, Unheard{1});
    CHECK(no_role);
    CHECK(no_node);
    world.time.settle();
    REQUIRE(unknown);
    CHECK(unknown->error().code() == Code::unknown_command);
    CHECK_THAT(unknown->error().message(), Catch::Contains("212"));
    CHECK(no_role->error().code() == Code::unavailable);
    CHECK(no_node->error().code() == Code::unavailable);
    CHECK_FALSE(world.game.send({world.group.self, Role::login}, Told{1}));
    CHECK_FALSE(world.game.send({Incarnation{99}, Role::storage}, Told{1}));
    CHECK_THAT(world.metrics.to_prometheus_text(), Catch::Contains("gameserver_bus_undeliverable_total 5"));
}

TEST_CASE("a command has one handler", "[cluster][CLU-11]") {
    OneLoop world{false};
    CHECK_THROWS_AS(world.storage.on<Told>([](const Envelope&, const Told&) {}), Error);
    CHECK_NOTHROW(world.game.on<Told>([](const Envelope&, const Told&) {}));
}

TEST_CASE("a body that cannot be read is an error of the call and no note", "[cluster][CLU-11]") {
    OneLoop world{true};
    const Binary garbage{0xc1, 0xff, 0x00};
    std::optional<Code> outcome;
    Envelope call;
    call.from = world.game.address();
    call.to = world.storage.address();
    call.kind = Envelope::Kind::call;
    call.command = command_of<Multiply>;
    call.call_id = world.bus.begin_call(call.to, 5s, "Multiply",
                                        [&](auto result) { outcome = result ? Code::ok : result.error().code(); });
    call.body = garbage;
    CHECK(world.bus.post(call));
    CHECK(world.game.send_raw(world.storage.address(), command_of<Told>, 0, 0, garbage));
    world.time.settle();
    CHECK(outcome == Code::invalid);
    CHECK(world.told.empty());
}

TEST_CASE("notes keep their order subject and generation", "[cluster][CLU-11]") {
    OneLoop world{GENERATE(false, true)};
    for (std::uint32_t number = 0; number < 1'000; ++number) {
        REQUIRE(world.game.send(world.storage.address(), Told{number}, number + 5U, 9));
        if (number % 100 == 0) world.time.settle();
    }
    world.time.settle();
    REQUIRE(world.told.size() == 1'000);
    for (std::uint32_t number = 0; number < 1'000; ++number) {
        REQUIRE(world.told[number] == number);
        REQUIRE(world.subjects[number] == number + 5U);
    }
}

TEST_CASE("roles hear who is ready and find each other", "[cluster][CLU-01][CLU-02]") {
    OneLoop world{false};
    std::vector<std::pair<Role, bool>> heard;
    world.game.watch([&](const Instance& instance, bool up) { heard.emplace_back(instance.address.role, up); });
    CHECK(world.game.any(Role::storage).error().code() == Code::unavailable);
    CHECK(world.game.publish(Role::storage, Told{1}) == 0);
    std::optional<RoleAddress> waited;
    world.tasks.spawn(keep_found(world.game, &waited), "wait");
    world.storage.announce(false, 0, {});
    world.time.advance(1s);
    CHECK(heard.empty());
    CHECK_FALSE(waited);
    world.storage.announce(true, 5, "127.0.0.1:1");
    world.storage.announce(true, 6, "127.0.0.1:1");
    world.time.advance(1s);
    CHECK((heard == std::vector<std::pair<Role, bool>>{{Role::storage, true}}));
    CHECK(waited == world.storage.address());
    REQUIRE(world.game.ready(Role::storage).size() == 1);
    CHECK(world.game.ready(Role::storage)[0].state.load == 6);
    CHECK(world.game.publish(Role::storage, Told{2}) == 1);
    world.storage.announce(false, 0, {});
    world.time.settle();
    CHECK(heard.size() == 2);
    CHECK(world.game.ready(Role::storage).empty());
    CHECK((world.told == std::vector<std::uint32_t>{2}));
}

TEST_CASE("watchers are told of an instance that is lost whether or not it was ready", "[cluster][CLU-02]") {
    OneLoop world{false};
    Instance game{{Incarnation{8}, Role::game}, "other", {Role::game, false, 0, {}}};
    std::vector<std::pair<bool, bool>> heard;  // up, known
    world.game.watch([&](const Instance& instance, bool up) {
        CHECK(instance.address == game.address);
        heard.emplace_back(up, world.bus.find(instance.address) != nullptr);
    });
    using Heard = std::vector<std::pair<bool, bool>>;
    const bool was_ready = GENERATE(false, true);
    CAPTURE(was_ready);
    world.bus.instance_changed(game, true);
    CHECK(heard.empty());
    if (was_ready) {  // it came up and stops now
        game.state.ready = true;
        world.bus.instance_changed(game, true);
        game.state.ready = false;
        world.bus.instance_changed(game, true);
        CHECK((std::exchange(heard, {}) == Heard{{true, true}, {false, true}}));
    }
    world.bus.instance_changed(game, false);
    CHECK((heard == Heard{{false, false}}));
    world.bus.instance_changed(game, false);  // nobody loses it twice
    CHECK(heard.size() == 1);
}

TEST_CASE("a note that the link refuses comes back to the loop of its sender", "[cluster][CLU-11]") {
    struct FullCarrier final : Carrier {
        bool carry(const Envelope& envelope) override { return envelope.generation != 9; }
        void announce(const Announcement& /*announcement*/) override {}
    } carrier;
    runtime::VirtualTime time;
    runtime::VirtualLoop home{time, "home"};
    runtime::VirtualLoop other{time, "other"};
    Metrics metrics;
    BusGroup group;
    group.self = Incarnation{7};
    group.carrier = &carrier;
    Bus home_bus{group, home, 0, metrics};
    Bus other_bus{group, other, 1, metrics};
    group.buses = {&home_bus, &other_bus};
    group.has_role[static_cast<std::size_t>(Role::game)] = true;
    group.loop_of_role[static_cast<std::size_t>(Role::game)] = 1;
    RoleBus game{other_bus, Role::game};
    std::vector<Envelope> refused;
    game.on_refused([&](const Envelope& envelope) { refused.push_back(envelope); });
    const RoleAddress gateway{Incarnation{8}, Role::gateway};
    for (auto* bus : group.buses) bus->instance_changed({gateway, "far", {Role::gateway, true, 0, {}}}, true);

    CHECK(game.send(gateway, Told{1}, 100, 8));
    CHECK(game.send(gateway, Told{2}, 101, 9));
    CHECK(game.send(gateway, Told{3}, 102, 8));
    time.settle();
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].from == gateway);
    CHECK(refused[0].command == command_of<Told>);
    CHECK(refused[0].subject == 101);
    CHECK(refused[0].generation == 9);
}

TEST_CASE("roles on two threads call each other and keep the order of a pair", "[cluster][CLU-11][NET-15]") {
    constexpr std::uint32_t notes = 20'000;
    runtime::EpollLoop home{"home", 1};
    runtime::EpollLoop other{"other", 2};
    Metrics metrics;
    BusGroup group;
    group.self = Incarnation{7};
    group.serialise_local = GENERATE(false, true);
    Bus home_bus{group, home, 0, metrics};
    Bus other_bus{group, other, 1, metrics};
    group.buses = {&home_bus, &other_bus};
    group.has_role[static_cast<std::size_t>(Role::game)] = true;
    group.has_role[static_cast<std::size_t>(Role::storage)] = true;
    group.loop_of_role[static_cast<std::size_t>(Role::storage)] = 1;
    RoleBus game{home_bus, Role::game};
    RoleBus storage{other_bus, Role::storage};

    std::uint32_t next = 0;
    std::uint32_t out_of_order = 0;
    bool on_other = true;
    storage.on<Told>([&](const Envelope&, const Told& note) {
        on_other = on_other && other.is_current();
        if (note.number != next++) ++out_of_order;
    });
    storage.on<Multiply>([&](const Envelope&, const Multiply& request) {
        Product product;
        product.value = std::int64_t{request.left} + next;  // the notes sent before the call have come
        return product;
    });
    std::optional<Result<Product>> result;
    runtime::Tasks tasks;
    const auto conversation = [&](auto& self, std::uint32_t from) -> void {
        for (auto number = from; number < from + 100; ++number) game.send(storage.address(), Told{number});
        if (from + 100 < notes) {
            home.post([&, from] { self(self, from + 100); });
            return;
        }
        tasks.spawn(keep_result(game.call(storage.address(), Multiply{1, 0, {}}), &result), "call");
    };
    home.post([&] { conversation(conversation, 0); });
    const auto wait_for_result = [&](auto& self) -> void {
        if (result) return home.stop();  // at the latest when the call's deadline has passed
        home.after(1ms, [&] { self(self); });
    };
    home.post([&] { wait_for_result(wait_for_result); });
    std::thread other_thread{[&] { other.run(); }};
    home.run();
    other.stop();
    other_thread.join();
    REQUIRE(result);
    CHECK(result->value().value == notes + 1);
    CHECK(next == notes);
    CHECK(out_of_order == 0);
    CHECK(on_other);
}

}  // namespace
}  // namespace gs::cluster::bus_test
