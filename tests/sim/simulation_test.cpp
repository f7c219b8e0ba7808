// The simulator itself: runs replay, the network and the disk do what they claim, and a mistake does not stay unseen.
#include <catch2/catch.hpp>

#include "storage/committer.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/simulation.hpp"

namespace gs::sim {

using namespace std::chrono_literals;

namespace {

/// Takes everything and remembers it.
struct Sink final : transport::ConnectionHandler {
    std::size_t on_bytes(BytesView bytes) override {
        text += as_text(bytes);
        ++calls;
        return bytes.size();
    }
    void on_closed(const Error& /*why*/) override { closed = true; }
    std::string text;
    int calls = 0;
    bool closed = false;
};

/// Two hosts and a connection from "near" to "far".
struct Pair {
    explicit Pair(NetworkPlan plan = {}) : network{time, trace, 7, plan} {
        listener = network
                       .listen(far_loop, "far:1", {},
                               [this](std::shared_ptr<transport::Connection> accepted) { far = std::move(accepted); })
                       .value();
        network.connect(near_loop, "far:1", 1s, [this](Result<std::shared_ptr<transport::Connection>> connected) {
            near = std::move(connected).value();
        });
        time.advance(1s);
        near->start(near_sink);
        far->start(far_sink);
    }
    ~Pair() { network.end_of_world(); }
    void send(std::string_view text) {
        near->output().append(as_bytes(text));
        time.settle();
    }

    runtime::VirtualTime time;
    Trace trace{time, false};
    Network network;
    runtime::VirtualLoop near_loop{time, "near"}, far_loop{time, "far"};
    Sink near_sink, far_sink;
    std::unique_ptr<transport::Listener> listener;
    std::shared_ptr<transport::Connection> near, far;
};

}  // namespace

TEST_CASE("the same seed gives the same run", "[sim]") {
    const auto first = simulate(11);
    const auto other = simulate(12);
    const auto again = simulate(11);
    CHECK(first.violation.empty());
    CHECK(first.events > 100);
    CHECK(first.hash == again.hash);
    CHECK(first.hash != other.hash);
}

TEST_CASE("the simulated network delivers in order whatever it does to the bytes", "[sim]") {
    NetworkPlan plan;
    plan.jitter = 20ms;
    plan.stall = 0.2;
    plan.piece_max = 3;
    Pair pair{plan};
    std::string sent;
    for (int number = 0; number < 200; ++number) {
        const auto text = fmt::format("{},", number);
        sent += text;
        pair.send(text);
    }
    pair.time.advance(600s);
    CHECK(pair.far_sink.text == sent);
    CHECK(pair.far_sink.calls > 200);
}

TEST_CASE("a cut one way is silent and what was sent comes when it ends", "[sim]") {
    Pair pair;
    pair.network.set_cut("near", "far", true);
    pair.send("late");
    pair.far->output().append(as_bytes("other way"));
    pair.time.advance(30s);
    CHECK(pair.far_sink.text.empty());
    CHECK(pair.near_sink.text == "other way");
    CHECK_FALSE(pair.far_sink.closed);
    pair.network.set_cut("near", "far", false);
    pair.time.advance(5s);
    CHECK(pair.far_sink.text == "late");
}

TEST_CASE("a dead machine is silent and a dead process is not", "[sim]") {
    Pair process;
    process.network.host_down("far", true);
    process.time.advance(1s);
    CHECK(process.near_sink.closed);

    Pair machine;
    machine.network.host_down("far", false);
    machine.send("into the void");
    machine.time.advance(60s);
    CHECK_FALSE(machine.near_sink.closed);
    machine.network.host_up("far");
    machine.send("is there anybody");
    machine.time.advance(1s);
    CHECK(machine.near_sink.closed);
}

TEST_CASE("a broken connection ends in the middle of what was under way", "[sim]") {
    Pair pair;
    pair.send(std::string(1000, 'x'));
    REQUIRE(pair.network.break_one("far"));
    pair.time.advance(5s);
    CHECK(pair.far_sink.closed);
    CHECK(pair.near_sink.closed);
    CHECK(pair.far_sink.text.size() < 1000);
}

TEST_CASE("a reader that stops fills the sender's queue", "[sim]") {
    NetworkPlan plan;
    plan.link_queue_max = 1000;
    Pair pair{plan};
    pair.far->set_reading(false);
    pair.send(std::string(plan.window, 'x'));
    pair.time.advance(5s);
    CHECK(pair.near->queued_bytes() == 0);
    CHECK_FALSE(pair.trace.failed());
    pair.send(std::string(2000, 'y'));
    pair.time.advance(5s);
    CHECK(pair.near->queued_bytes() == 2000);
    CHECK(pair.trace.failed());  // more than the plan allows
    pair.far->set_reading(true);
    pair.time.advance(5s);
    CHECK(pair.near->queued_bytes() == 0);
    CHECK(pair.far_sink.text.size() == plan.window + 2000);
}

TEST_CASE("a paused loop does everything at once when it goes on", "[sim]") {
    runtime::VirtualTime time;
    runtime::VirtualLoop paused{time, "paused"}, other{time, "other"};
    int ran = 0, others = 0;
    paused.after(1s, [&] { ++ran; });
    other.after(2s, [&] { ++others; });
    paused.set_paused(true);
    paused.post([&] { ++ran; });
    time.advance(120s);
    CHECK(ran == 0);
    CHECK(others == 1);
    paused.set_paused(false);
    time.settle();
    CHECK(ran == 2);
}

TEST_CASE("the simulated disk keeps what was durable and nothing else", "[sim]") {
    runtime::VirtualTime time;
    Trace trace{time, false};
    Ledger ledger{trace};
    Disk disk{trace, ledger, 5, {10ms, 0}};
    const EntityKey key{"player", 1};
    Metrics metrics;
    const auto write = [&](std::uint64_t epoch, std::uint64_t sequence, std::uint64_t gold) {
        ledger.deposit_sent(PlayerId{1}, gold);
        return storage::Commit{
            {{key, OwnerEpoch{epoch}, sequence, {{"wallet", fmt::format(R"({{"gold":{}}})", gold)}}}}, {}};
    };
    int answered = 0;
    const auto run = [&](storage::Request request, bool crash) {
        auto loop = std::make_unique<runtime::VirtualLoop>(time, "storage");
        storage::Committer::Options options;
        options.mode = storage::Committer::paced;
        options.pace = [&](runtime::Job commit, runtime::Job done) {
            disk.pace(*loop, std::move(commit), std::move(done));
        };
        storage::Committer committer{disk.open(), metrics, options};
        committer.submit({std::move(request)}, [&](storage::Operation&&) { ++answered; });
        if (!crash) time.advance(10s);
    };
    run(storage::Open{key}, false);
    CHECK(answered == 1);
    run(write(1, 1, 5), false);
    CHECK(answered == 2);
    CHECK(ledger.stored(PlayerId{1}) == 5);
    run(write(1, 2, 9), true);
    time.advance(10s);
    CHECK(answered == 2);
    CHECK(ledger.stored(PlayerId{1}) == 5);
    CHECK_FALSE(trace.failed());
}

TEST_CASE("the ledger finds what contradicts it", "[sim]") {
    runtime::VirtualTime time;
    const auto violation = [&](const std::function<void(Ledger&)>& story) {
        Trace trace{time, false};
        Ledger ledger{trace};
        ledger.deposit_sent(PlayerId{1}, 10);
        ledger.stored(PlayerId{1}, 10);
        ledger.deposit_confirmed(PlayerId{1}, 10, 0, 10);
        ledger.line_seen("market", {4, PlayerId{1}, "1/1"});
        story(ledger);
        ledger.check_all();
        return trace.violation();
    };
    CHECK(violation([](Ledger&) {}).empty());
    CHECK_FALSE(violation([](Ledger& ledger) { ledger.stored(PlayerId{1}, 9); }).empty());
    CHECK_FALSE(violation([](Ledger& ledger) { ledger.stored(PlayerId{1}, 11); }).empty());
    CHECK_FALSE(violation([](Ledger& ledger) { ledger.balance_seen(PlayerId{1}, 11, "a test"); }).empty());
    CHECK_FALSE(violation([](Ledger& ledger) {
                    ledger.deposit_sent(PlayerId{1}, 1);
                    ledger.deposit_confirmed(PlayerId{1}, 1, 10, 10);
                }).empty());
    CHECK_FALSE(violation([](Ledger& ledger) { ledger.line_seen("market", {4, PlayerId{2}, "2/1"}); }).empty());
    CHECK_FALSE(violation([](Ledger& ledger) { ledger.line_seen("market", {5, PlayerId{1}, "1/1"}); }).empty());
    CHECK(violation([](Ledger& ledger) { ledger.line_seen("tavern", {4, PlayerId{2}, "2/1"}); }).empty());
}

}  // namespace gs::sim
