#pragma once
// How long an HTTP client may take.
// Owner: the server. Loop: a thread of its own; every function from any thread.
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

struct MHD_Connection;

namespace gs::http {

/// Cuts connections whose request does not come in, or whose answer is not taken, in time. The library's own timeout
/// starts anew with each byte, so that one byte a second would hold a connection for ever.
class SlowConnections {
public:
    using Clock = std::chrono::steady_clock;

    /// Calls `after_each_round` from its thread as well.
    SlowConnections(Clock::duration limit, std::function<void()> after_each_round)
        : limit_{limit}, after_each_round_{std::move(after_each_round)}, thread_{[this] { run(); }} {}
    SlowConnections(const SlowConnections&) = delete;
    SlowConnections& operator=(const SlowConnections&) = delete;
    ~SlowConnections() {
        {
            const std::lock_guard lock{mutex_};
            stopped_ = true;
        }
        wake_.notify_all();
        thread_.join();
    }

    void open(MHD_Connection* connection, int descriptor) {
        const std::lock_guard lock{mutex_};
        connections_[connection] = {descriptor, Clock::now()};
    }
    void close(MHD_Connection* connection) {
        const std::lock_guard lock{mutex_};
        connections_.erase(connection);
    }
    /// The client has `limit` from now on; or for ever, while a handler has the request.
    void restart(MHD_Connection* connection, bool with_handler) {
        const std::lock_guard lock{mutex_};
        const auto found = connections_.find(connection);
        if (found != connections_.end()) found->second.since = with_handler ? Clock::time_point::max() : Clock::now();
    }

private:
    struct Watched {
        int descriptor = -1;
        Clock::time_point since;
    };

    void run() {
        std::unique_lock lock{mutex_};
        while (!wake_.wait_for(lock, limit_ / 8, [this] { return stopped_; })) {
            const auto oldest = Clock::now() - limit_;
            for (const auto& [connection, watched] : connections_) {
                // The library sees the end of the connection and closes it.
                if (watched.since < oldest) ::shutdown(watched.descriptor, SHUT_RDWR);
            }
            lock.unlock();
            after_each_round_();
            lock.lock();
        }
    }

    const Clock::duration limit_;
    const std::function<void()> after_each_round_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::unordered_map<MHD_Connection*, Watched> connections_;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace gs::http
