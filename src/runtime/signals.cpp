#include "runtime/signals.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace gs::runtime {

namespace {
std::atomic<int> write_end{-1};

/// Runs inside the signal: only what is safe there.
void write_down(int signal) {
    const int before = errno;
    const auto number = static_cast<unsigned char>(signal);
    static_cast<void>(::write(write_end.load(), &number, 1) == 1);
    errno = before;
}

void listen_to(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
}
}  // namespace

/// What the handler writes down and the loop reads.
class Signals::Pipe final : public Pollable {
public:
    explicit Pipe(std::function<void(int)> on_signal) : on_signal_{std::move(on_signal)} {
        if (::pipe2(ends_, O_NONBLOCK | O_CLOEXEC) != 0)
            throw Error{Code::internal, "cannot hear signals: {}", std::strerror(errno)};
        write_end.store(ends_[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        write_end.store(-1);
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    [[nodiscard]] int file() const { return ends_[0]; }
    void on_ready(bool /*readable*/, bool /*writable*/) override {
        unsigned char number = 0;
        while (::read(ends_[0], &number, 1) == 1) on_signal_(number);
    }

private:
    int ends_[2] = {-1, -1};
    std::function<void(int)> on_signal_;
};

Signals::Signals(EpollLoop& loop, std::function<void(int)> on_signal)
    : loop_{loop}, pipe_{std::make_shared<Pipe>(std::move(on_signal))} {
    loop_.poller().add(pipe_->file(), pipe_, true, false);
    for (const int signal : {SIGINT, SIGTERM}) listen_to(signal, &write_down);
}

Signals::~Signals() {
    for (const int signal : {SIGINT, SIGTERM}) listen_to(signal, SIG_DFL);
    loop_.poller().remove(pipe_->file());
}

}  // namespace gs::runtime
