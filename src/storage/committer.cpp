#include "storage/committer.hpp"

#include "base/log.hpp"

#include <chrono>

namespace gs::storage {

namespace {

/// Upkeep waits for a pause that is longer than the gap between two operations of a busy server.
constexpr std::chrono::milliseconds pause_before_idle{20};
/// A shorter wait would take longer than it says.
constexpr std::chrono::microseconds shortest_wait{100};

bool failed(const Operation& operation) {
    const auto* error = std::get_if<Error>(&operation.result);
    return error != nullptr && error->code() == Code::unavailable;
}

}  // namespace

Committer::Committer(std::unique_ptr<Engine> engine, Metrics& metrics, Options options)
    : options_{options},
      engine_{std::move(engine)},
      waiting_{metrics.gauge("gameserver_storage_waiting", "Operations that wait for a transaction.")},
      refused_{metrics.counter("gameserver_storage_refused_total", "Operations refused because the queue was full.")},
      operations_{metrics.counter("gameserver_storage_operations_total", "Operations that were run.")},
      batches_{metrics.counter("gameserver_storage_batches_total", "Transactions.")},
      waited_{metrics.counter("gameserver_storage_waited_batches_total", "Transactions that waited to be larger.")},
      failed_batches_{
          metrics.counter("gameserver_storage_failed_batches_total", "Transactions that failed as a whole.")},
      batch_size_{metrics.histogram("gameserver_storage_batch_operations", "Operations in one transaction.", {},
                                    Histogram::Unit::plain)},
      commit_time_{metrics.histogram("gameserver_storage_commit_seconds", "How long one transaction takes.")} {
    if (options_.mode == threaded) thread_ = std::thread{[this] { work(); }};
}

Committer::~Committer() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock{mutex_};
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Committer::submit(Operation operation, Completion completion) {
    if (options_.mode == inline_mode) {
        // Not the members: a completion may submit the next operation.
        const auto started = std::chrono::steady_clock::now();
        engine_->run({&operation, 1});
        note_batch(operation, 1, std::chrono::steady_clock::now() - started);
        engine_->idle();
        completion(std::move(operation));
        return;
    }
    {
        const std::lock_guard lock{mutex_};
        if (queue_.size() < options_.queue_max) {
            queue_.push_back({std::move(operation), std::move(completion)});
            waiting_.set(static_cast<std::int64_t>(queue_.size()));
            if (options_.mode == threaded) {
                if (queue_.size() == 1 || queue_.size() == wanted_) wake_.notify_one();
            } else if (!paced_batch_runs_) {
                begin_paced_batch();
            }
            return;
        }
        refused_.add();
    }
    operation.result = Error{Code::busy, "storage: {} operations wait already; try again later", options_.queue_max};
    completion(std::move(operation));
}

void Committer::work() {
    while (take_batch()) {
        run_batch();
        complete_batch();
    }
}

bool Committer::take_batch() {
    std::unique_lock lock{mutex_};
    const auto has_work = [this] { return !queue_.empty() || ending_; };
    if (!wake_.wait_for(lock, pause_before_idle, has_work)) {
        lock.unlock();
        engine_->idle();
        lock.lock();
        wanted_ = 0;  // nobody of the last batch comes back any more
        wake_.wait(lock, has_work);
    }
    wait_for_more(lock);
    fill_batch();
    return !batch_.empty();
}

void Committer::wait_for_more(std::unique_lock<std::mutex>& lock) {
    const auto is_enough = [this] { return queue_.size() >= wanted_ || ending_; };
    const auto most = options_.patience(last_took_);
    if (is_enough() || most < shortest_wait) return;
    waited_.add();
    wake_.wait_for(lock, most, is_enough);
}

void Committer::fill_batch() {
    while (!queue_.empty() && batch_.size() < options_.batch_max) {
        batch_.push_back(std::move(queue_.front().operation));
        completions_.push_back(std::move(queue_.front().completion));
        queue_.pop_front();
    }
    waiting_.set(static_cast<std::int64_t>(queue_.size()));
}

void Committer::begin_paced_batch() {
    fill_batch();
    paced_batch_runs_ = !batch_.empty();
    if (!paced_batch_runs_) return;
    options_.pace([this] { run_batch(); },
                  [this] {
                      complete_batch();
                      begin_paced_batch();
                  });
}

void Committer::run_batch() {
    const auto started = std::chrono::steady_clock::now();
    engine_->run(batch_);
    last_took_ = std::chrono::steady_clock::now() - started;
    note_batch(batch_.front(), batch_.size(), last_took_);
    const std::lock_guard lock{mutex_};
    wanted_ = std::min(batch_.size() + queue_.size(), options_.batch_max);
}

void Committer::complete_batch() {
    for (std::size_t index = 0; index < batch_.size(); ++index) completions_[index](std::move(batch_[index]));
    batch_.clear();
    completions_.clear();
}

void Committer::note_batch(const Operation& first, std::size_t size, std::chrono::nanoseconds duration) {
    batches_.add();
    operations_.add(size);
    if (failed(first)) {
        failed_batches_.add();
        // Said once, not for each of the many tries that follow.
        if (!std::exchange(failing_, true)) {
            log::error("storage cannot write: {}", std::get<Error>(first.result).message());
        }
    } else if (std::exchange(failing_, false)) {
        log::info("storage writes again");
    }
    batch_size_.observe(std::uint64_t{size});
    commit_time_.observe(duration);
}

Committer::Counters Committer::counters() const {
    return {waiting_, refused_, operations_, batches_, waited_, failed_batches_, batch_size_, commit_time_};
}

}  // namespace gs::storage
