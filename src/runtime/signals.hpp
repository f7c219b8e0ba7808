#pragma once
// SIGINT and SIGTERM as calls on a loop. Owner: keep it as long as signals should be heard; the default comes back
// after.
#include <functional>
#include <memory>

#include "runtime/asio_loop.hpp"

namespace gs::runtime {

class Signals {
public:
    Signals(AsioLoop& loop, std::function<void(int signal)> on_signal);
    ~Signals();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace gs::runtime
