#include "runtime/pool.hpp"

#include <sys/resource.h>

namespace gs::runtime {

BlockingPool::BlockingPool(Options options) : options_{options} {
    for (std::size_t index = 0; index < options_.threads; ++index) threads_.emplace_back([this] { work(); });
}

BlockingPool::~BlockingPool() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
}

std::size_t BlockingPool::depth() const {
    const std::lock_guard lock{mutex_};
    return queue_.size();
}

bool BlockingPool::submit(Job job) {
    if (threads_.empty()) {
        job();
        return true;
    }
    {
        const std::lock_guard lock{mutex_};
        if (queue_.size() >= options_.queue_max) return false;
        queue_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
}

void BlockingPool::work() {
    constexpr int behind_loops = 10;  // added to the process's niceness; a tenth of a core is left when all are busy
    ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + behind_loops);  // of this thread only
    std::unique_lock lock{mutex_};
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        {
            auto job = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            job();
        }
        lock.lock();
    }
}

}  // namespace gs::runtime
