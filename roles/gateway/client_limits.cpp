// What a client may do in a second and how long it may take: rates, late requests, slow readers, silence.
#include "roles/gateway/client.hpp"
#include "roles/gateway/gateway.hpp"

namespace gs::gateway {

namespace {
constexpr std::uint32_t entering_seconds_max = 12;
constexpr auto held_max = std::chrono::seconds{10};
}  // namespace

/// The request that took the least time lately says how the clocks differ; lately, since a clock may stand still while
/// its machine sleeps.
bool Client::is_fresh(std::uint64_t sent_ms) {
    constexpr std::uint32_t minute = 60;
    const auto ahead = static_cast<std::int64_t>(gateway_.monotonic_us() / 1000) - static_cast<std::int64_t>(sent_ms);
    if (gateway_.second() - ahead_since_ >= minute) {
        ahead_before_ms_ = std::exchange(ahead_ms_, {});
        ahead_since_ = gateway_.second();
    }
    if (!ahead_ms_ || ahead < *ahead_ms_) ahead_ms_ = ahead;
    const auto least = std::min(*ahead_ms_, ahead_before_ms_.value_or(*ahead_ms_));
    return ahead - least <= gateway_.settings().message_age_max.count();
}

/// What waited here is not late.
void Client::forget_clock() {
    ahead_ms_.reset();
    ahead_before_ms_.reset();
}

void Client::refuse_late(const wire::Header& request) {
    constexpr std::uint8_t late_in_row_max = 5;
    const auto most = gateway_.settings().message_age_max.count();
    gateway_.count().rejected_stale.add();
    relay();
    relay_refused(request, {Code::deadline, "the request came more than {} ms late", most});
    // Its clock may have stood still: a new connection learns anew how it goes.
    if (++late_in_row_ >= late_in_row_max)
        close(Code::deadline, fmt::format("one request after the other came more than {} ms late", most), true);
}

/// Whoever sends more waits until the next second, as the network makes it wait.
void Client::throttle(std::size_t bytes) {
    const auto most = gateway_.settings().bytes_per_second_max;
    if (most == 0) return;
    begin_second();
    bytes_this_second_ += bytes;
    if (bytes_this_second_ <= most || std::exchange(throttled_, true)) return;
    gateway_.count().throttled.add();
    connection_->set_reading(false);
}

void Client::set_background(bool background) {
    if (std::exchange(in_background_, background) != background) connection_->set_background(background);
}

void Client::begin_second() {
    const auto last = std::exchange(counted_second_, gateway_.second());
    if (last == gateway_.second()) return;
    messages_this_second_ = 0;
    bytes_this_second_ = 0;
    const bool was_over_rate = std::exchange(over_rate_, false) && last + 1 == gateway_.second();
    if (state_ == State::playing && !was_over_rate) set_background(false);
    if (commands_this_second_ != nullptr) commands_this_second_->clear();
}

Error Client::refusal(Command command) const {
    if (is_for_modules(command)) {
        const auto& limits = gateway_.settings();
        const auto rate = limits.command_rates.find(command);
        const bool of_command = rate != limits.command_rates.end() && commands_this_second_ != nullptr &&
                                (*commands_this_second_)[command] > rate->second;
        if (of_command)
            return {Code::limited, "more than {} requests of command {} in a second", rate->second, command};
        return {Code::limited, "more than {} requests in a second", limits.messages_per_second_max};
    }
    gateway_.count().rejected_command.add();
    return {Code::unknown_command, "command {} is not for clients; modules' commands start at {}", command,
            first_module_command};
}

bool Client::over_rate(Command command) {
    const auto most = gateway_.settings().messages_per_second_max;
    begin_second();
    if ((most == 0 || ++messages_this_second_ <= most) && !over_rate_of(command)) return false;
    gateway_.count().rejected_rate.add();
    over_rate_ = true;
    set_background(true);
    return true;
}

/// Most commands have no rate of their own.
bool Client::over_rate_of(Command command) {
    const auto& rates = gateway_.settings().command_rates;
    if (rates.empty()) return false;
    const auto rate = rates.find(command);
    if (rate == rates.end()) return false;
    if (commands_this_second_ == nullptr) commands_this_second_ = std::make_unique<std::map<Command, std::uint32_t>>();
    return ++(*commands_this_second_)[command] > rate->second;
}

bool Client::is_behind() const { return connection_->queued_bytes() > gateway_.settings().queue_bytes_soft / 2; }

void Client::keep_state(Command command, SharedBytes frame) {
    if (kept_states_ == nullptr) {
        kept_states_ = std::make_unique<std::map<Command, SharedBytes>>();
        gateway_.send_kept_states_soon(*this);  // it may only be that much was said in this turn
    }
    auto& kept = (*kept_states_)[command];
    if (!kept.empty()) gateway_.count().states_replaced.add();
    kept = std::move(frame);
}

void Client::send_kept_states() {
    if (kept_states_ == nullptr || state_ != State::playing || is_behind()) return;
    const auto states = std::exchange(kept_states_, nullptr);
    for (const auto& [command, frame] : *states) {
        connection_->send(frame);
        gateway_.count().messages_out.add();
        gateway_.count().bytes_out.add(frame.size());
    }
    check_queue();
}

std::size_t Client::queued_bytes() const {
    auto bytes = connection_->queued_bytes() + early_.size();
    if (kept_states_ == nullptr) return bytes;
    for (const auto& [command, frame] : *kept_states_) bytes += frame.size();
    return bytes;
}

void Client::check_queue() {
    if (overflown_ || connection_->queued_bytes() <= gateway_.settings().queue_bytes_max) return;
    if (planted(PlantedBug::unbounded_queue)) return;
    overflown_ = true;  // nothing is added to it any more
    gateway_.count().slow_readers.add();
    // Nothing more fits: a goodbye would wait behind what the client does not read.
    gateway_.end_later(*this, "it does not read what it is sent");
}

void Client::tick(std::uint32_t second) {
    const auto& limits = gateway_.settings();
    if (state_ == State::playing && counted_second_ + 1 < second) set_background(false);
    if (throttled_ && counted_second_ != second) {
        throttled_ = false;
        heard_ = second;
        if (partial_ != 0) partial_ = second;  // the rest of it was not read
        forget_clock();
        if (!is_held()) connection_->set_reading(true);
        if (state_ == State::closed) return;
    }
    const auto waited = second - since_;
    if (state_ == State::hello && waited > static_cast<std::uint32_t>(limits.hello_timeout.count())) {
        gateway_.count().rejected_timeout.add();
        refuse_hello(Code::deadline, fmt::format("no hello within {} s", limits.hello_timeout.count()));
        return;
    }
    if (state_ == State::handshake && waited > static_cast<std::uint32_t>(limits.hello_timeout.count())) {
        gateway_.count().rejected_full.add();
        refuse_hello(Code::busy, Door::busy);
        return;
    }
    if (state_ == State::token && waited > static_cast<std::uint32_t>(limits.token_timeout.count())) {
        gateway_.count().rejected_timeout.add();
        close(Code::deadline, fmt::format("no token within {} s", limits.token_timeout.count()), true);
        return;
    }
    if (state_ == State::entering && waited > entering_seconds_max) {
        gateway_.count().rejected_timeout.add();
        close(Code::deadline, "the server could not let the player in in time; try again in a moment", true);
        return;
    }
    if (is_held() && partial_ != 0) partial_ = second;  // the rest of it is not read
    if (partial_ == 0 && !is_held() && secure_ != nullptr && secure_->holds_half_a_record()) partial_ = second;
    if (partial_ != 0 && !is_held() && second - partial_ > static_cast<std::uint32_t>(limits.frame_timeout.count())) {
        gateway_.count().rejected_timeout.add();
        close(Code::deadline,
              fmt::format("a frame was begun and not finished within {} s", limits.frame_timeout.count()), true);
        return;
    }
    send_kept_states();
    const auto queued = connection_->queued_bytes();
    gateway_.note_queued(*this);
    slow_ = queued > limits.queue_bytes_soft && !planted(PlantedBug::unbounded_queue) ? slow_ + 1 : 0;
    if (slow_ > static_cast<std::uint32_t>(limits.slow_timeout.count())) {
        gateway_.count().slow_readers.add();
        gateway_.end_later(*this, "it reads too slowly");
        return;
    }
    if (state_ != State::playing && ticket_ == 0) return;
    if (is_held()) {
        heard_ = second;  // nobody listens
        if (gateway_.now() - held_since_ > held_max)
            close(Code::unavailable, "moving to another game server took too long; connect again", true);
        return;
    }
    const auto silent = second - heard_;
    const auto heartbeat = static_cast<std::uint32_t>(limits.heartbeat.count());
    if (silent > 2 * heartbeat) {
        gateway_.count().silent.add();
        close(Code::deadline, fmt::format("nothing was heard from the client for {} s", silent), true);
    } else if (silent >= heartbeat && second - pinged_ >= heartbeat) {
        pinged_ = second;
        send_control(command_of<wire::Ping>, msgpack::encode(wire::Ping{gateway_.monotonic_us(), rtt_us_}));
    }
}

}  // namespace gs::gateway
