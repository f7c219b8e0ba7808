#pragma once
// Group commit: gathers operations from any thread and gives them to the engine in batches, one durable transaction
// each. While one batch commits the next one gathers. Those whose operations were in one batch come back together, one
// after the other: a batch waits for as many as were there when the last one ended, but for an eighth of its time at
// most (else the first of them commits alone, and all others wait for that). Who is alone never waits. All operations
// run in the order of their submission, so those of one key do too. Owner: owns the engine and the thread. The
// destructor finishes what is queued; no other thread may submit by then.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/metrics.hpp"
#include "runtime/job.hpp"
#include "storage/engine.hpp"

namespace gs::storage {

/// Takes the operation back, with its result. Any callable, also one that can only be moved; it must not throw.
class Completion {
public:
    template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Completion> && std::is_invocable_v<F, Operation>) Completion(F&& function)
        : callable_{std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(function))} {}

    void operator()(Operation&& operation) { callable_->call(std::move(operation)); }

private:
    struct Callable {
        Callable() = default;
        Callable(const Callable&) = delete;
        Callable& operator=(const Callable&) = delete;
        virtual ~Callable() = default;
        virtual void call(Operation&& operation) = 0;
    };
    template <class F>
    struct Holder final : Callable {
        template <class G>
        explicit Holder(G&& given) : function{std::forward<G>(given)} {}
        void call(Operation&& operation) override { function(std::move(operation)); }
        F function;
    };

    std::unique_ptr<Callable> callable_;
};

class Committer {
public:
    enum Mode : std::uint8_t {
        threaded,     ///< completions are called on the committer's thread
        inline_mode,  ///< no thread: each operation is run, and completed, inside submit (tests)
        paced,        ///< no thread: `pace` says when a transaction runs and when it is done (the simulator)
    };
    /// Runs `commit` and later `done`, neither before it returns.
    using Pace = std::function<void(runtime::Job commit, runtime::Job done)>;
    struct Options {
        Mode mode = threaded;
        std::size_t queue_max = 50'000;  ///< operations that wait; beyond, they complete at once with Error{busy}
        std::size_t batch_max = 256;     ///< operations in one transaction
        /// Threaded: how long a batch may wait to be larger, by how long the last one took.
        static constexpr std::chrono::nanoseconds an_eighth(std::chrono::nanoseconds last) {
            return std::min<std::chrono::nanoseconds>(last / 8, std::chrono::milliseconds{5});
        }
        std::chrono::nanoseconds (*patience)(std::chrono::nanoseconds last) = an_eighth;
        Pace pace{};
    };
    /// May be read by any thread.
    struct Counters {
        const Gauge& waiting;
        const Counter& refused;  ///< because the queue was full
        const Counter& operations;
        const Counter& batches;
        const Counter& waited;  ///< batches that waited to be larger
        const Counter& failed_batches;
        const Histogram& batch_size;
        const Histogram& commit_time;
    };

    Committer(std::unique_ptr<Engine> engine, Metrics& metrics, Options options);
    Committer(std::unique_ptr<Engine> engine, Metrics& metrics) : Committer{std::move(engine), metrics, Options{}} {}
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;
    ~Committer();

    /// From any thread (inline: from one). Refused operations are completed on the calling thread, before this returns.
    void submit(Operation operation, Completion completion);

    [[nodiscard]] Counters counters() const;

private:
    struct Pending {
        Operation operation;
        Completion completion;
    };

    void work();
    /// False when the committer ends and nothing is left.
    bool take_batch();
    void wait_for_more(std::unique_lock<std::mutex>& lock);
    void fill_batch();
    void run_batch();
    void complete_batch();
    void begin_paced_batch();
    void note_batch(const Operation& first, std::size_t size, std::chrono::nanoseconds duration);

    const Options options_;
    std::unique_ptr<Engine> engine_;

    Gauge& waiting_;
    Counter& refused_;
    Counter& operations_;
    Counter& batches_;
    Counter& waited_;
    Counter& failed_batches_;
    Histogram& batch_size_;
    Histogram& commit_time_;

    // Of the committing thread.
    bool failing_ = false;
    bool paced_batch_runs_ = false;
    std::chrono::nanoseconds last_took_{};
    std::vector<Operation> batch_;
    std::vector<Completion> completions_;

    std::mutex mutex_;  // guards the rest, and is what makes one writer of waiting_ and refused_
    std::condition_variable wake_;
    std::deque<Pending> queue_;
    std::size_t wanted_ = 0;  // operations that were there when the last batch ended: in it, or waiting behind it
    bool ending_ = false;

    std::thread thread_;
};

}  // namespace gs::storage
