#include <chrono>
#include <fstream>
#include <future>
#include <optional>

#include <catch2/catch.hpp>

#include "base/log.hpp"
#include "storage/committer.hpp"
#include "storage/memory/memory_engine.hpp"
#include "storage/scratch_directory.hpp"

using namespace gs;
using namespace gs::storage;

namespace {

/// Keeps each batch waiting until the test opens the gate, so that operations gather behind it.
class GatedEngine final : public Engine {
public:
    explicit GatedEngine(std::shared_future<void> gate) : gate_{std::move(gate)} {}
    void run(std::span<Operation> batch) override {
        gate_.wait();
        engine_->run(batch);
    }
    void idle() override {}

private:
    std::shared_future<void> gate_;
    std::unique_ptr<Engine> engine_ = make_memory_engine();
};

/// Refuses everything, like a disk that failed; tells when it was idle.
class BrokenEngine final : public Engine {
public:
    explicit BrokenEngine(std::promise<void>& idle) : idle_{idle} {}
    void run(std::span<Operation> batch) override {
        for (auto& operation : batch) operation.result = Error{Code::unavailable, "broken"};
    }
    void idle() override {
        if (!told_) idle_.set_value();
        told_ = true;
    }

private:
    std::promise<void>& idle_;
    bool told_ = false;
};

Operation save(std::uint64_t id, std::uint64_t sequence) {
    return {Commit{{{{"player", id}, OwnerEpoch{1}, sequence, {{"wallet", std::to_string(sequence)}}}}, {}}};
}
bool is_ok(const Operation& operation) {
    const auto* committed = std::get_if<Committed>(&operation.result);
    return committed != nullptr && committed->outcome == Outcome::ok;
}
void ignore(Operation&& /*operation*/) {}

}  // namespace

TEST_CASE("concurrent submitters keep their order and nothing is lost at the end", "[storage][STO-02][STO-05]") {
    constexpr std::uint64_t submitters = 4;
    constexpr std::uint64_t saves = 2000;
    std::vector<std::uint64_t> confirmed(submitters);
    std::uint64_t out_of_order = 0;  // written by the committer's thread only
    Metrics metrics;
    {
        Committer committer{make_memory_engine(), metrics};
        std::vector<std::thread> threads;
        for (std::uint64_t id = 0; id < submitters; ++id) {
            threads.emplace_back([&, id] {
                committer.submit({Open{{"player", id}}}, ignore);
                for (std::uint64_t sequence = 1; sequence <= saves; ++sequence) {
                    committer.submit(save(id, sequence), [&, id, sequence](Operation&& done) {
                        if (!is_ok(done) || confirmed[id] + 1 != sequence) ++out_of_order;
                        confirmed[id] = sequence;
                    });
                }
            });
        }
        for (auto& thread : threads) thread.join();
    }
    CHECK(out_of_order == 0);
    CHECK(confirmed == std::vector<std::uint64_t>(submitters, saves));
}

TEST_CASE("what arrives while a batch commits goes together into the next", "[storage][STO-05]") {
    std::promise<void> gate;
    Metrics metrics;
    std::uint64_t confirmed = 0;
    std::optional<Committer> committer;
    committer.emplace(std::make_unique<GatedEngine>(gate.get_future().share()), metrics);
    committer->submit({Open{{"player", 1}}}, ignore);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (committer->counters().waiting.value() != 0 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    for (std::uint64_t sequence = 1; sequence <= 600; ++sequence) {
        committer->submit(save(1, sequence), [&](Operation&& done) { confirmed += is_ok(done) ? 1 : 0; });
    }
    CHECK(committer->counters().waiting.value() == 600);
    gate.set_value();
    const auto counters = committer->counters();
    committer.reset();
    CHECK(confirmed == 600);
    CHECK(counters.operations.value() == 601);
    CHECK(counters.batches.value() == 4);  // 1, 256, 256, 88
    CHECK(counters.batch_size.snapshot().sum == 601);
    CHECK(counters.commit_time.snapshot().count() == 4);
    CHECK(counters.failed_batches.value() == 0);
}

TEST_CASE("beyond its bound the queue answers busy at once", "[storage][STO-05]") {
    std::promise<void> gate;
    Metrics metrics;
    std::uint64_t confirmed = 0;
    std::uint64_t busy = 0;
    {
        Committer committer{std::make_unique<GatedEngine>(gate.get_future().share()), metrics, {.queue_max = 3}};
        committer.submit({Open{{"player", 1}}}, ignore);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (committer.counters().waiting.value() != 0 && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
        for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
            committer.submit(save(1, sequence), [&](Operation&& done) { confirmed += is_ok(done) ? 1 : 0; });
        }
        committer.submit(save(1, 4), [&](Operation&& done) {
            busy += std::get<Error>(done.result).code() == Code::busy ? 1 : 0;
            CHECK(std::get<Commit>(done.request).entities.at(0).sequence == 4);
        });
        CHECK(busy == 1);
        CHECK(committer.counters().refused.value() == 1);
        gate.set_value();
    }
    CHECK(confirmed == 3);
}

TEST_CASE("a failed transaction is counted and a pause is used for upkeep", "[storage]") {
    std::promise<void> idle;
    std::promise<Code> answer;
    Metrics metrics;
    Committer committer{std::make_unique<BrokenEngine>(idle), metrics};
    auto answered = answer.get_future();
    committer.submit({Load{{"player", 1}}}, [answer = std::move(answer)](Operation&& done) mutable {
        answer.set_value(std::get<Error>(done.result).code());
    });
    REQUIRE(answered.wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    CHECK(answered.get() == Code::unavailable);
    CHECK(committer.counters().failed_batches.value() == 1);
    CHECK(idle.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready);
}

TEST_CASE("why storage cannot write is logged once until it writes again", "[storage][OPS-01]") {
    class FailingEngine final : public Engine {
    public:
        explicit FailingEngine(const std::string& why) : why_{why} {}
        void run(std::span<Operation> batch) override {
            for (auto& operation : batch) {
                if (why_.empty()) {
                    operation.result = Loaded{};
                } else {
                    operation.result = Error::verbatim(Code::unavailable, why_);
                }
            }
        }
        void idle() override {}

    private:
        const std::string& why_;
    };
    const ScratchDirectory directory;
    const auto level_before = log::detail::level.load();
    log::Options options;
    options.file = directory.file("log");
    log::start(options);
    {
        std::string why;
        Metrics metrics;
        Committer committer{std::make_unique<FailingEngine>(why), metrics, {.mode = Committer::inline_mode}};
        for (const auto* next :
             {"", "the disk is full", "the disk is full", "it is full", "", "", "it is gone {}", ""}) {
            why = next;
            committer.submit({Load{{"player", 1}}}, ignore);
        }
        CHECK(committer.counters().failed_batches.value() == 4);
    }
    log::stop();
    log::set_level(level_before);
    std::ifstream file{options.file};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    REQUIRE(lines.size() == 4);
    CHECK_THAT(lines[0], Catch::Contains("error") && Catch::EndsWith("storage cannot write: the disk is full"));
    CHECK_THAT(lines[1], Catch::EndsWith("storage writes again"));
    CHECK_THAT(lines[2], Catch::Contains("error") && Catch::EndsWith("storage cannot write: it is gone {}"));
    CHECK_THAT(lines[3], Catch::EndsWith("storage writes again"));
}

TEST_CASE("inline the operation is done when submit returns", "[storage][STO-13]") {
    Metrics metrics;
    Committer committer{make_memory_engine(), metrics, {.mode = Committer::inline_mode}};
    std::vector<int> order;
    committer.submit({Open{{"player", 1}}}, [&](Operation&& done) {
        CHECK(std::get<Opened>(done.result).epoch == OwnerEpoch{1});
        order.push_back(1);
        committer.submit(save(1, 1), [&](Operation&& saved) {
            CHECK(is_ok(saved));
            order.push_back(2);
        });
    });
    order.push_back(3);
    CHECK(order == std::vector<int>{1, 2, 3});
    CHECK(committer.counters().batches.value() == 2);
}

TEST_CASE("those who were in one batch are in one batch again", "[storage][STO-05]") {
    class CountingEngine final : public Engine {
    public:
        explicit CountingEngine(std::vector<std::size_t>& sizes) : sizes_{sizes} {}
        void run(std::span<Operation> batch) override {
            sizes_.push_back(batch.size());
            for (auto& operation : batch) operation.result = Loaded{};
        }
        void idle() override {}

    private:
        std::vector<std::size_t>& sizes_;
    };
    std::vector<std::size_t> sizes;
    Metrics metrics;
    std::optional<Committer> committer;
    Committer::Options options;
    options.patience = [](std::chrono::nanoseconds /*last*/) -> std::chrono::nanoseconds {
        return std::chrono::seconds{20};
    };
    committer.emplace(std::make_unique<CountingEngine>(sizes), metrics, options);
    std::promise<void> first_done;
    std::promise<void> all_done;
    const auto come_back = [&](Operation&& /*operation*/) { committer->submit({Load{{"player", 2}}}, ignore); };
    committer->submit({Load{{"player", 1}}}, [&](Operation&& /*operation*/) {
        // On the committer's thread, so that both are in the next batch, whatever it waits for: two in one batch.
        committer->submit({Load{{"player", 2}}}, come_back);
        committer->submit({Load{{"player", 3}}}, [&](Operation&& /*operation*/) { first_done.set_value(); });
    });
    REQUIRE(first_done.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (committer->counters().waited.value() == 0 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    CHECK(committer->counters().waited.value() == 1);
    committer->submit({Load{{"player", 3}}}, [&](Operation&& /*operation*/) { all_done.set_value(); });
    REQUIRE(all_done.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    committer.reset();
    CHECK(sizes == std::vector<std::size_t>{1, 2, 2});
}

TEST_CASE("who is alone does not wait for others", "[storage][STO-05]") {
    Metrics metrics;
    Committer::Options options;
    options.patience = [](std::chrono::nanoseconds /*last*/) -> std::chrono::nanoseconds {
        return std::chrono::hours{1};
    };
    Committer committer{make_memory_engine(), metrics, options};
    for (int round = 0; round < 3; ++round) {
        std::promise<void> done;
        committer.submit({Load{{"player", 1}}}, [&](Operation&& /*operation*/) { done.set_value(); });
        REQUIRE(done.get_future().wait_for(std::chrono::seconds{10}) == std::future_status::ready);
    }
    CHECK(committer.counters().waited.value() == 0);
    CHECK(committer.counters().batches.value() == 3);
}
