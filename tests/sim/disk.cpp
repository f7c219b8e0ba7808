#include "tests/sim/disk.hpp"

#include "storage/memory/memory_engine.hpp"
#include "storage/rules.hpp"

namespace gs::sim {

using runtime::Duration;

namespace {

constexpr Duration slowest = std::chrono::seconds{10};

}  // namespace

/// What one run of the storage node holds; the disk stays when it ends.
class Disk::Handle final : public storage::Engine {
public:
    explicit Handle(Disk& disk) : disk_{disk} {}
    void run(std::span<storage::Operation> batch) override { disk_.run(batch); }
    void idle() override {}

private:
    Disk& disk_;
};

Disk::Disk(Trace& trace, std::uint64_t seed, DiskPlan plan, OnStored stored)
    : trace_{trace},
      random_{seed, "disk"},
      plan_{plan},
      stored_{std::move(stored)},
      engine_{storage::make_memory_engine()} {}

Disk::~Disk() = default;

std::unique_ptr<storage::Engine> Disk::open() { return std::make_unique<Handle>(*this); }

void Disk::pace(runtime::Loop& loop, runtime::Job commit, runtime::Job done) {
    const auto draw = [this] {
        const auto slowed = static_cast<double>(random_.exponential(plan_.sync / 2).count()) * slowness_;
        return std::min(slowest, Duration{static_cast<std::int64_t>(slowed)});
    };
    const auto until_durable = draw();
    loop.after(until_durable, std::move(commit));
    loop.after(until_durable + draw(), std::move(done));
}

void Disk::heal() {
    slowness_ = 1;
    failing_ = false;
    plan_.failure = 0;
}

void Disk::run(std::span<storage::Operation> batch) {
    const bool fails = failing_ || random_.chance(plan_.failure);
    const bool done = !fails || random_.chance(0.5);
    if (done) {
        engine_->run(batch);
        for (const auto& operation : batch) check(operation);
    }
    if (fails) {
        trace_.note("disk fails", done ? "done" : "not done", batch.size());
        storage::fail_all(batch, "the disk of the simulation fails");
    }
}

void Disk::check(const storage::Operation& operation) {
    if (const auto* opened = std::get_if<storage::Opened>(&operation.result)) {
        check_open(std::get<storage::Open>(operation.request), *opened);
    } else if (const auto* committed = std::get_if<storage::Committed>(&operation.result)) {
        check_commit(std::get<storage::Commit>(operation.request), committed->outcome);
    }
}

void Disk::check_open(const storage::Open& open, const storage::Opened& opened) {
    auto& owner = owners_[open.key];
    const auto epoch = static_cast<std::uint64_t>(opened.epoch);
    trace_.note("disk opens", open.key.kind, open.key.id, epoch);
    if (epoch <= owner.epoch) {
        trace_.fail(fmt::format("{} was opened with epoch {} after epoch {}", open.key, epoch, owner.epoch));
    }
    owner = {epoch, 0};
}

void Disk::check_commit(const storage::Commit& commit, storage::Outcome outcome) {
    ++commits_;
    const auto subject = commit.entities.empty() ? 0 : commit.entities.front().key.id;
    trace_.note("disk commits", commit.entities.empty() ? "record" : commit.entities.front().key.kind, subject,
                static_cast<std::uint64_t>(outcome));
    if (outcome == storage::Outcome::fenced) ++fenced_;
    if (outcome != storage::Outcome::ok) return;
    for (const auto& write : commit.entities) check_write(write);
    if (stored_) stored_(commit);
}

void Disk::check_write(const storage::EntityWrite& write) {
    auto& owner = owners_[write.key];
    const auto epoch = static_cast<std::uint64_t>(write.epoch);
    if (epoch != owner.epoch) {
        trace_.fail(fmt::format("a write of {} with epoch {} was taken while epoch {} owns it: two owners", write.key,
                                epoch, owner.epoch));
    }
    if (write.sequence != owner.sequence + 1) {
        trace_.fail(fmt::format("write {} of {} was taken after write {} of the same epoch", write.sequence, write.key,
                                owner.sequence));
    }
    owner.sequence = write.sequence;
}

}  // namespace gs::sim
