#pragma once
// A bounded pool of threads for work that blocks (password hashing). Results come back as a future on the asking loop.
// In the simulator the pool has no threads and runs the work at once.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/result.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"

namespace gs::runtime {

class BlockingPool {
public:
    struct Options {
        std::size_t threads = 2;  ///< 0: run inline
        std::size_t queue_max = 256;
    };
    explicit BlockingPool(Options options);
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;
    ~BlockingPool();  ///< finishes what is queued

    /// `work` runs on a pool thread; Code::busy when the queue is full, and what it throws. Loop: `loop`.
    template <class Work>
    [[nodiscard]] auto run(Loop& loop, Work work) -> Future<Result<std::invoke_result_t<Work>>> {
        using Value = std::invoke_result_t<Work>;
        const Promise<Result<Value>> promise;
        auto future = promise.future();
        const bool taken = submit([&loop, promise, work = std::move(work)]() mutable {
            auto outcome = outcome_of(work);
            loop.post([promise, outcome = std::move(outcome)]() mutable { promise.set(std::move(outcome)); });
        });
        if (!taken)
            promise.set(Error{Code::busy, "the pool for blocking work is full ({} jobs wait)", options_.queue_max});
        return future;
    }

    [[nodiscard]] std::size_t depth() const;

private:
    template <class Work>
    static Result<std::invoke_result_t<Work>> outcome_of(Work& work) {
        try {
            return Result<std::invoke_result_t<Work>>{work()};
        } catch (const Error& error) {
            return error;
        } catch (const std::exception& error) {
            return Error{Code::internal, "blocking work failed: {}", error.what()};
        }
    }
    bool submit(Job job);
    void work();

    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> queue_;  // guarded by mutex_
    bool stopping_ = false;  // guarded by mutex_
    std::vector<std::thread> threads_;
};

}  // namespace gs::runtime
