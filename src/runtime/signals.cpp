#include "runtime/signals.hpp"

#include <csignal>

#include <asio/signal_set.hpp>

namespace gs::runtime {

struct Signals::State : std::enable_shared_from_this<State> {
    State(AsioLoop& loop, std::function<void(int)> call)
        : set{loop.io(), SIGINT, SIGTERM}, on_signal{std::move(call)} {}
    void wait() {
        set.async_wait([self = shared_from_this()](const asio::error_code& error, int signal) {
            if (error) return;
            self->wait();
            self->on_signal(signal);
        });
    }
    asio::signal_set set;
    std::function<void(int)> on_signal;
};

Signals::Signals(AsioLoop& loop, std::function<void(int)> on_signal)
    : state_{std::make_shared<State>(loop, std::move(on_signal))} {
    state_->wait();
}

Signals::~Signals() {
    asio::error_code ignored;
    state_->set.cancel(ignored);
}

}  // namespace gs::runtime
