#include "client/cpp/protocol.hpp"

#include <algorithm>

namespace gs::client {

namespace {

std::uint64_t microseconds_of(Time time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<Duration>(time.time_since_epoch()).count());
}

std::int64_t milliseconds_of(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

bool worth_another_try(Code code) {
    return code == Code::busy || code == Code::unavailable || code == Code::limited || code == Code::deadline;
}

wire::Close refusal(Code code, std::string reason) { return {code, std::move(reason), worth_another_try(code)}; }

}  // namespace

void Protocol::start(std::string token, Time now) {
    token_ = std::move(token);
    state_ = State::hello;
    last_heard_ = now;
    enter_by_ = now + options_.enter_deadline;
    wire::ClientHello hello;
    hello.client_version = options_.client_version;
    wire::write_hello(output_, hello);
}

void Protocol::receive(BytesView bytes, Time now) {
    if (closed()) return;
    last_heard_ = now;
    if (input_.empty()) {
        const auto used = take_frames(bytes, now);
        if (!closed()) input_.append(bytes.subspan(used));
    } else {
        input_.append(bytes);
        const auto used = take_frames(input_.view(), now);
        if (closed()) return;
        input_.consume(used);
        if (input_.empty()) input_.release();
    }
}

std::size_t Protocol::take_frames(BytesView stream, Time now) {
    std::size_t used = 0;
    while (!closed()) {
        const auto cut = wire::cut_frame(stream.subspan(used), options_.frame_bytes_max);
        if (cut.status == wire::FrameCut::Status::incomplete) break;
        if (cut.status == wire::FrameCut::Status::too_long) {
            if (state_ == State::hello) {
                end(refusal(Code::invalid,
                            "what answers there is not a gateway: its first bytes are no hello. Check the port"));
            } else {
                fail(fmt::format("the server sent a frame of {} bytes; at most {} are accepted", cut.length,
                                 options_.frame_bytes_max));
            }
            break;
        }
        used += cut.consumed();
        take_frame(cut.payload, now);
    }
    return used;
}

void Protocol::take_frame(BytesView payload, Time now) {
    if (state_ == State::hello) {
        take_hello(payload, now);
        return;
    }
    const auto message = wire::parse_message(payload);
    if (message.fault != nullptr) {
        fail(fmt::format("the server sent a message that cannot be read: {}", message.fault));
        return;
    }
    switch (message.header.kind) {
        case wire::Kind::reply:
            take_reply(message, now);
            break;
        case wire::Kind::request:
            fail("the server sent a request; only clients do");
            break;
        case wire::Kind::push:
        case wire::Kind::control:
            if (message.header.command < first_module_command) {
                take_control(message, now);
            } else {
                events_.on_push(message.header.command, message.body);
            }
    }
}

void Protocol::take_hello(BytesView payload, Time now) {
    auto hello = wire::parse_server_hello(payload);
    if (!hello) {
        end(refusal(Code::invalid, "what answers there is not a gateway: " + hello.error().message()));
        return;
    }
    if (hello->code != Code::ok) {
        end(refusal(hello->code, hello->message));
        return;
    }
    if (hello->protocol != wire::protocol_version || hello->security != "none") {
        end(refusal(Code::invalid,
                    fmt::format("the server chose protocol {} with security '{}'; this client has protocol {} "
                                "with security 'none'",
                                hello->protocol, hello->security, wire::protocol_version)));
        return;
    }
    heartbeat_ = std::chrono::milliseconds{hello->heartbeat_ms};
    sent_frame_bytes_max_ = hello->frame_bytes_max;
    state_ = State::entering;
    first_id_ = next_id_ = 2;  // 1 is the Enter itself
    wire::write_framed(output_, {wire::Kind::request, false, command_of<wire::Enter>, 1},
                       wire::Enter{std::exchange(token_, {})});
    if (heartbeat_ > Duration::zero()) next_ping_ = now + heartbeat_;
}

void Protocol::take_entered(const wire::MessageView& message, Time now) {
    if (message.header.error) {
        auto error = msgpack::decode<wire::ErrorBody>(message.body);
        if (!error) return fail("the server sent an error that does not decode");
        return end(refusal(error->code, std::move(error->message)));
    }
    const auto entered = msgpack::decode<wire::Entered>(message.body);
    if (!entered) return fail("the server's Entered does not decode: " + entered.error().message());
    state_ = State::entered;
    enter_by_ = Time::max();
    if (heartbeat_ > Duration::zero()) send_ping(now);
    events_.on_entered(*entered);
}

void Protocol::take_reply(const wire::MessageView& message, Time now) {
    const auto id = message.header.request_id;
    if (state_ == State::entering && id == 1) return take_entered(message, now);
    if (id == 0 || id >= next_id_) return fail(fmt::format("the server answered request {}, which was not sent", id));
    if (id < first_id_ || !slots_[id - first_id_].pending) {
        ++late_replies_;
        return;
    }
    auto& slot = slots_[id - first_id_];
    if (slot.command != message.header.command) {
        return fail(fmt::format("the server answered request {} of command {} as command {}", id, slot.command,
                                message.header.command));
    }
    const auto pending = release(slot);
    if (!message.header.error) return pending->finish(message.body);
    auto error = msgpack::decode<wire::ErrorBody>(message.body);
    if (error && error->code != Code::ok) {
        pending->finish(Error::verbatim(error->code, std::move(error->message)));
    } else {
        pending->finish(Error{Code::internal, "the server sent an error that does not decode"});
    }
}

void Protocol::take_control(const wire::MessageView& message, Time now) {
    if (message.header.command == command_of<wire::Ping>) {
        const auto ping = msgpack::decode<wire::Ping>(message.body);
        if (!ping) return fail("the server's Ping does not decode");
        wire::write_framed(output_, {wire::Kind::control, false, command_of<wire::Pong>, 0}, wire::Pong{ping->sent_us});
    } else if (message.header.command == command_of<wire::Pong>) {
        const auto pong = msgpack::decode<wire::Pong>(message.body);
        if (!pong) return fail("the server's Pong does not decode");
        const auto now_us = microseconds_of(now);
        if (pong->sent_us <= now_us) rtt_ = Duration{static_cast<std::int64_t>(now_us - pong->sent_us)};
    } else if (message.header.command == command_of<wire::Close>) {
        const auto close = msgpack::decode<wire::Close>(message.body);
        if (!close) return fail("the server's Close does not decode");
        end(*close);
    }
    // Others belong to a newer server and are none of this client's business.
}

void Protocol::send_ping(Time now) {
    next_ping_ = now + heartbeat_;
    wire::write_framed(output_, {wire::Kind::control, false, command_of<wire::Ping>, 0},
                       wire::Ping{microseconds_of(now), static_cast<std::uint32_t>(rtt_.count())});
}

Time Protocol::next_tick() const {
    if (closed()) return Time::max();
    auto next = std::min({enter_by_, next_ping_, earliest_deadline_});
    if (heartbeat_ > Duration::zero()) next = std::min<Time>(next, last_heard_ + 2 * heartbeat_);
    return next;
}

void Protocol::tick(Time now) {
    if (closed()) return;
    if (now >= enter_by_) {
        return end(refusal(Code::deadline, fmt::format("the server did not let the player in within {} ms",
                                                       milliseconds_of(options_.enter_deadline))));
    }
    if (heartbeat_ > Duration::zero() && now - last_heard_ >= 2 * heartbeat_) {
        return end(refusal(Code::unavailable, fmt::format("nothing was heard from the server for {} ms",
                                                          milliseconds_of(2 * heartbeat_))));
    }
    if (now >= next_ping_) send_ping(now);
    if (now >= earliest_deadline_) expire(now);
}

void Protocol::expire(Time now) {
    std::vector<std::shared_ptr<Pending>> late;  // finished last: they may send again
    earliest_deadline_ = Time::max();
    for (auto& slot : slots_) {
        if (!slot.pending) continue;
        if (slot.deadline <= now) {
            late.push_back(std::move(slot.pending));
            --waiting_;
        } else {
            earliest_deadline_ = std::min(earliest_deadline_, slot.deadline);
        }
    }
    while (!slots_.empty() && !slots_.front().pending) {
        slots_.pop_front();
        ++first_id_;
    }
    for (const auto& pending : late) {
        pending->finish(Error{Code::deadline, "no answer in time; whether it was done is unknown"});
    }
}

std::size_t Protocol::begin_request(Command command) {
    const auto begin = wire::begin_frame(output_);
    wire::write_header(output_, {wire::Kind::request, false, command, next_id_});
    return begin;
}

Result<void> Protocol::may_send(std::size_t frame_bytes, std::string_view name) const {
    if (state_ != State::entered) return Error{Code::unavailable, "not connected; {} was not sent", name};
    if (sent_frame_bytes_max_ != 0 && frame_bytes > sent_frame_bytes_max_) {
        return Error{Code::invalid, "{} has {} bytes; the server takes at most {}", name, frame_bytes,
                     sent_frame_bytes_max_};
    }
    if (waiting_ >= options_.requests_max) {
        return Error{Code::busy, "{} was not sent: {} requests wait for their reply", name, waiting_};
    }
    if (output_.size() > options_.output_bytes_max) {
        return Error{Code::busy, "{} was not sent: {} bytes wait for the network", name, output_.size()};
    }
    return {};
}

void Protocol::finish_request(std::size_t begin, Slot slot, std::string_view name) {
    auto allowed = may_send(output_.size() - begin - wire::frame_prefix_bytes, name);
    if (!allowed) {
        output_.resize_down(begin);
        slot.pending->finish(std::move(allowed).error());
        return;
    }
    wire::finish_frame(output_, begin);
    ++next_id_;
    ++waiting_;
    earliest_deadline_ = std::min(earliest_deadline_, slot.deadline);
    slots_.push_back(std::move(slot));
}

std::shared_ptr<Pending> Protocol::release(Slot& slot) {
    auto pending = std::move(slot.pending);
    --waiting_;
    while (!slots_.empty() && !slots_.front().pending) {
        slots_.pop_front();
        ++first_id_;
    }
    return pending;
}

void Protocol::lost(std::string_view reason) {
    end({Code::unavailable, fmt::format("the connection was lost: {}", reason), true});
}

void Protocol::fail(std::string reason) { end({Code::invalid, std::move(reason), false}); }

void Protocol::close() {
    if (closed()) return;
    state_ = State::closed;
    finish_all();
}

void Protocol::end(const wire::Close& close) {
    if (closed()) return;
    state_ = State::closed;
    finish_all();
    events_.on_closed(close);
}

void Protocol::finish_all() {
    const auto slots = std::exchange(slots_, {});
    waiting_ = 0;
    for (const auto& slot : slots) {
        if (!slot.pending) continue;
        slot.pending->finish(
            Error{Code::deadline, "the connection ended before the answer; whether it was done is unknown"});
    }
}

}  // namespace gs::client
