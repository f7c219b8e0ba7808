#pragma once
// SIGINT and SIGTERM as calls on a loop. Owner: keep it as long as signals should be heard; the default comes back
// after. One of it at a time in a process. Errors: throws when the system refuses.
#include <csignal>
#include <functional>
#include <memory>

#include "runtime/epoll_loop.hpp"

namespace gs::runtime {

class Signals {
public:
    Signals(EpollLoop& loop, std::function<void(int signal)> on_signal);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals();

private:
    class Pipe;
    EpollLoop& loop_;
    std::shared_ptr<Pipe> pipe_;
};

}  // namespace gs::runtime
