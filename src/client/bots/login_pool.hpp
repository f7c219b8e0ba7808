#pragma once
// Logs bots in over HTTP in a few threads of its own, so that thousands of logins do not stall those who play.
// Owner: the run; destroyed before the io_context. Loop: login() on the bots' loop.
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include "client/cpp/login.hpp"

namespace gs::bots {

class LoginPool {
public:
    LoginPool(asio::io_context& io, const std::string& url, const std::string& ca_file, std::size_t threads);
    LoginPool(const LoginPool&) = delete;
    LoginPool& operator=(const LoginPool&) = delete;
    /// Those who wait never hear.
    ~LoginPool();

    /// A new guest, or the one of this key.
    asio::awaitable<Result<client::Login>> guest(std::string guest_key);
    /// Those whose turn has not come yet get an error at once.
    void drop_waiting();

private:
    struct Job;
    void work(client::LoginClient login);
    void finish(std::shared_ptr<Job> job);

    asio::io_context& io_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Job>> waiting_;  // guarded by mutex_; at most one for each bot
    bool stopping_ = false;                     // guarded by mutex_
    std::vector<std::thread> threads_;
};

}  // namespace gs::bots
