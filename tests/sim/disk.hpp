#pragma once
// The disk of the simulated storage node. It outlives the node: a transaction takes time, and a crash before its moment
// leaves nothing of it, a crash between its moment and its answer leaves all of it. It also watches who writes: epochs
// never go back, sequences have no gap.
#include <map>

#include "api/role.hpp"
#include "storage/engine.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/trace.hpp"

namespace gs::sim {

struct DiskPlan {
    runtime::Duration sync = std::chrono::milliseconds{2};  ///< the mean
    double failure = 0;  ///< probability that a transaction fails as a whole, done or not
};

class Disk final : public DiskWorld {
public:
    /// `stored` is called with each transaction that is taken, when it is durable.
    using OnStored = std::function<void(const storage::Commit&)>;
    Disk(Trace& trace, std::uint64_t seed, DiskPlan plan, OnStored stored);
    ~Disk() override;

    [[nodiscard]] std::unique_ptr<storage::Engine> open() override;
    void pace(runtime::Loop& loop, runtime::Job commit, runtime::Job done) override;

    void set_slowness(double factor) { slowness_ = factor; }
    /// From now on every transaction fails, or none; whether a failed one was done is drawn.
    void set_failing(bool failing) { failing_ = failing; }
    void heal();

    [[nodiscard]] std::uint64_t commits() const { return commits_; }
    [[nodiscard]] std::uint64_t fenced() const { return fenced_; }

private:
    class Handle;
    struct Owner {
        std::uint64_t epoch = 0, sequence = 0;
    };
    void run(std::span<storage::Operation> batch);
    void check(const storage::Operation& operation);
    void check_open(const storage::Open& open, const storage::Opened& opened);
    void check_commit(const storage::Commit& commit, storage::Outcome outcome);
    void check_write(const storage::EntityWrite& write);

    Trace& trace_;
    Random random_;
    DiskPlan plan_;
    OnStored stored_;
    double slowness_ = 1;
    bool failing_ = false;
    std::unique_ptr<storage::Engine> engine_;
    std::map<EntityKey, Owner> owners_;
    std::uint64_t commits_ = 0, fenced_ = 0;
};

}  // namespace gs::sim
