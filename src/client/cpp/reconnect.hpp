#pragma once
// When and where to try again after a connection was lost: full jitter, so that those who lost their gateway together
// do not come back together. Owner: one object for each client.
// Source: Brooker, "Exponential backoff and jitter" (AWS architecture blog).
#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>

namespace gs::client {

struct ReconnectOptions {
    std::chrono::microseconds base = std::chrono::milliseconds{100};  ///< the first wait is at most this long
    std::chrono::microseconds cap = std::chrono::seconds{5};          ///< and each of the later ones at most this
    std::chrono::microseconds resume_for = std::chrono::seconds{60};  ///< as long as the server keeps a session
};

class Reconnect {
public:
    using Time = std::chrono::steady_clock::time_point;
    struct Try {
        std::chrono::microseconds wait;
        std::size_t gateway;  ///< place in the list
    };

    /// `draw` gives numbers from 0 to 1, without the 1.
    Reconnect(ReconnectOptions options, std::function<double()> draw) : options_{options}, draw_{std::move(draw)} {}

    /// The connection to this gateway was lost now.
    void lost(std::size_t gateway, Time now) {
        gateway_ = gateway;
        tries_ = 0;
        until_ = now + options_.resume_for;
    }
    /// Nothing when it is too late.
    [[nodiscard]] std::optional<Try> next(std::size_t gateways, Time now) {
        const auto most = std::min(options_.cap, options_.base * (std::int64_t{1} << std::min(tries_, 20U)));
        const std::chrono::microseconds wait{
            static_cast<std::int64_t>(draw_() * static_cast<double>(most.count() + 1))};
        if (now + wait >= until_) return std::nullopt;
        ++tries_;
        gateway_ = (gateway_ + 1) % gateways;
        return Try{wait, gateway_};
    }

private:
    ReconnectOptions options_;
    std::function<double()> draw_;
    std::size_t gateway_ = 0;
    unsigned tries_ = 0;
    Time until_{};
};

}  // namespace gs::client
