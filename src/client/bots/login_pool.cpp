#include "client/bots/login_pool.hpp"

#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

namespace gs::bots {

// The timer belongs to the loop and only the loop touches it.
struct LoginPool::Job {
    std::string guest_key;
    asio::steady_timer* done = nullptr;  // null when nobody waits any more
    Result<client::Login> result = Error{Code::unavailable, "the login was not asked"};
};

LoginPool::LoginPool(asio::io_context& io, const std::string& url, const std::string& ca_file, std::size_t threads)
    : io_{io} {
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this, url, ca_file] { work(client::LoginClient{url, ca_file}); });
    }
}

LoginPool::~LoginPool() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void LoginPool::work(client::LoginClient login) {
    for (;;) {
        std::shared_ptr<Job> job;
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
            if (stopping_) return;
            job = std::move(waiting_.front());
            waiting_.pop_front();
        }
        job->result = login.guest(job->guest_key);
        finish(std::move(job));
    }
}

void LoginPool::finish(std::shared_ptr<Job> job) {
    asio::post(io_, [job = std::move(job)] {
        if (job->done != nullptr) job->done->cancel();
    });
}

void LoginPool::drop_waiting() {
    const std::lock_guard lock{mutex_};
    for (auto& job : waiting_) finish(std::move(job));
    waiting_.clear();
}

namespace {
/// Forgets the timer when the coroutine is destroyed while it waits.
template <class Job>
struct Waiting {
    explicit Waiting(Job& waited, asio::steady_timer& timer) : job{waited} { job.done = &timer; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { job.done = nullptr; }
    Job& job;
};
}  // namespace

asio::awaitable<Result<client::Login>> LoginPool::guest(std::string guest_key) {
    asio::steady_timer done{io_, asio::steady_timer::time_point::max()};
    const auto job = std::make_shared<Job>();
    job->guest_key = std::move(guest_key);
    const Waiting<Job> waiting{*job, done};
    {
        const std::lock_guard lock{mutex_};
        waiting_.push_back(job);
    }
    changed_.notify_one();
    asio::error_code woken;
    co_await done.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    co_return std::move(job->result);
}

}  // namespace gs::bots
