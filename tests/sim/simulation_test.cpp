// The simulator itself: runs replay, the network and the disk do what they claim, and a mistake does not stay unseen.
#include <catch2/catch.hpp>

#include "storage/committer.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/simulation.hpp"
#include "tests/sim/workloads/trade.hpp"

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
    std::vector<std::string> stored;
    Disk disk{trace, 5, {10ms, 0}, [&](const storage::Commit& commit) {
                  stored.push_back(commit.entities.at(0).components.at(0).data);
              }};
    const EntityKey key{"player", 1};
    Metrics metrics;
    const auto write = [&](std::uint64_t epoch, std::uint64_t sequence, std::uint64_t gold) {
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
    CHECK(stored == std::vector<std::string>{R"({"gold":5})"});
    run(write(1, 2, 9), true);
    time.advance(10s);
    CHECK(answered == 2);
    CHECK(stored.size() == 1);
    CHECK_FALSE(trace.failed());
}

TEST_CASE("the ledgers of deposits and lines find what contradicts them", "[sim]") {
    runtime::VirtualTime time;
    const auto violation = [&](const std::function<void(GoldLedger&, LineLedger&)>& story) {
        Trace trace{time, false};
        GoldLedger gold{trace};
        LineLedger lines{trace};
        gold.deposit_sent(PlayerId{1}, 10);
        gold.stored(PlayerId{1}, 10);
        gold.deposit_confirmed(PlayerId{1}, 10, 0, 10);
        lines.seen("market", {4, PlayerId{1}, "1/1"});
        story(gold, lines);
        gold.check_all();
        return trace.violation();
    };
    CHECK(violation([](auto&, auto&) {}).empty());
    CHECK_FALSE(violation([](auto& gold, auto&) { gold.stored(PlayerId{1}, 9); }).empty());
    CHECK_FALSE(violation([](auto& gold, auto&) { gold.stored(PlayerId{1}, 11); }).empty());
    CHECK_FALSE(violation([](auto& gold, auto&) { gold.balance_seen(PlayerId{1}, 11, "a test"); }).empty());
    CHECK_FALSE(violation([](auto& gold, auto&) {
                    gold.deposit_sent(PlayerId{1}, 1);
                    gold.deposit_confirmed(PlayerId{1}, 1, 10, 10);
                }).empty());
    CHECK_FALSE(violation([](auto&, auto& lines) { lines.seen("market", {4, PlayerId{2}, "2/1"}); }).empty());
    CHECK_FALSE(violation([](auto&, auto& lines) { lines.seen("market", {5, PlayerId{1}, "1/1"}); }).empty());
    CHECK(violation([](auto&, auto& lines) { lines.seen("tavern", {4, PlayerId{2}, "2/1"}); }).empty());
}

namespace {

/// A transaction in which these players get these purses.
storage::Commit purses(const std::map<std::uint64_t, std::uint64_t>& gold, const std::string& payment = {}) {
    storage::Commit commit;
    for (const auto& [player, amount] : gold) {
        commit.entities.push_back(
            {{"player", player}, OwnerEpoch{1}, 1, {{"purse", fmt::format(R"({{"gold":{},"opened":true}})", amount)}}});
    }
    if (!payment.empty()) commit.records.push_back({"payment", payment, 0, "{}"});
    return commit;
}

}  // namespace

TEST_CASE("the ledger of trades finds gold that is lost, doubled or told of too early", "[sim][NEW-04]") {
    runtime::VirtualTime time;
    constexpr PlayerId anna{1}, bert{2};
    const auto violation = [&](const std::function<void(TradeLedger&)>& story) {
        Trace trace{time, false};
        TradeLedger ledger{trace};
        ledger.stored(purses({{1, 100}}));
        ledger.stored(purses({{2, 100}}));
        ledger.gift_sent(anna, bert, 5);
        ledger.gift_sent(anna, bert, 5);
        story(ledger);
        ledger.check_all();
        return trace.violation();
    };
    const auto give = [](TradeLedger& ledger) { ledger.stored(purses({{1, 95}, {2, 105}})); };
    CHECK(violation([&](TradeLedger& ledger) {
              give(ledger);
              ledger.gift_confirmed(anna, bert, 5);
              CHECK(ledger.balance_seen(anna, 95, 0) == 1);
          }).empty());
    CHECK_FALSE(violation([](TradeLedger& ledger) { ledger.stored(purses({{1, 95}})); }).empty());
    CHECK_FALSE(violation([](TradeLedger& ledger) { ledger.stored(purses({{2, 105}})); }).empty());
    CHECK_FALSE(violation([](TradeLedger& ledger) { ledger.stored(purses({{1, 94}, {2, 106}})); }).empty());
    CHECK_FALSE(violation([](TradeLedger& ledger) { ledger.stored(purses({{1, 105}, {2, 95}})); }).empty());
    CHECK_FALSE(violation([](TradeLedger& ledger) { ledger.gift_confirmed(anna, bert, 5); }).empty());
    CHECK_FALSE(violation([&](TradeLedger& ledger) {
                    give(ledger);
                    ledger.gift_refused(anna, bert, 5);
                    ledger.gift_refused(anna, bert, 5);
                }).empty());
    CHECK_FALSE(violation([](TradeLedger& ledger) { static_cast<void>(ledger.balance_seen(anna, 95, 0)); }).empty());
    CHECK_FALSE(violation([&](TradeLedger& ledger) {
                    give(ledger);
                    static_cast<void>(ledger.balance_seen(anna, 100, 1));
                }).empty());

    const auto paid = [&](const std::function<void(TradeLedger&, const std::string&)>& story) {
        return violation([&](TradeLedger& ledger) { story(ledger, ledger.new_payment(anna, 7).payment); });
    };
    CHECK(paid([](TradeLedger& ledger, const std::string& payment) {
              ledger.stored(purses({{1, 107}}, payment));
              ledger.payment_confirmed(payment, anna);
          }).empty());
    CHECK_FALSE(paid([](TradeLedger& ledger, const std::string& payment) {
                    ledger.stored(purses({{1, 108}}, payment));
                }).empty());
    CHECK_FALSE(paid([](TradeLedger& ledger, const std::string& payment) {
                    ledger.stored(purses({{1, 107}}, payment));
                    ledger.stored(purses({{1, 114}}));
                }).empty());
    CHECK_FALSE(paid([](TradeLedger& ledger, const std::string& payment) {
                    ledger.stored(purses({{1, 107}}, payment));
                    ledger.stored(purses({{2, 107}}, payment));
                }).empty());
    CHECK_FALSE(
        paid([](TradeLedger& ledger, const std::string& payment) { ledger.payment_confirmed(payment, anna); }).empty());
    CHECK_FALSE(paid([](TradeLedger& ledger, const std::string& payment) {
                    ledger.stored(purses({{1, 107}}, payment));
                    ledger.payment_confirmed(payment, bert);
                }).empty());
}

}  // namespace gs::sim
