#include "client/cpp/protocol.hpp"

#include <algorithm>

namespace gs::client {

namespace {

std::uint64_t microseconds_of(Time time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<Duration>(time.time_since_epoch()).count());
}

std::int64_t system_seconds() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

std::uint64_t steady_milliseconds() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

/// A gateway takes no longer record before the player has entered.
constexpr std::size_t first_record_bytes_max = 4096;

std::int64_t milliseconds_of(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

bool worth_another_try(Code code) {
    return code == Code::busy || code == Code::unavailable || code == Code::limited || code == Code::deadline;
}

wire::Close refusal(Code code, std::string reason) { return {code, std::move(reason), worth_another_try(code)}; }

/// Why a session cannot be resumed. A new login may still help, unless it was one that ended the session.
wire::Close resume_refusal(Code code, std::string reason) {
    return {code, std::move(reason), code == Code::unauthenticated || code == Code::not_found};
}

}  // namespace

void Protocol::start(std::string token, Time now) {
    leave_connection(State::idle);
    end_session();
    token_ = std::move(token);
    say_hello(now);
}

void Protocol::resume(Time now) {
    if (away()) say_hello(now);
}

void Protocol::say_hello(Time now) {
    state_ = State::hello;
    last_heard_ = now;
    enter_by_ = now + options_.enter_deadline;
    features_ = 0;
    output_.clear();
    framed_output_.clear();
    input_.clear();
    sealed_output_.clear();
    sealed_input_.clear();
    records_.reset();
    handshake_.reset();
    wire::ClientHello hello;
    hello.client_version = options_.client_version;
    hello.features = options_.features;
    if (roots().empty()) {
        wire::write_hello(output_, hello);
    } else {
        handshake_.emplace(std::move(hello), output_);
    }
}

const std::vector<PublicKey>& Protocol::roots() const { return options_.roots.empty() ? login_roots_ : options_.roots; }

Buffer& Protocol::output() {
    if (features_ != 0) seal_output();
    auto& frames = features_ != 0 ? framed_output_ : output_;
    if (!records_) return frames;
    if (!frames.empty()) {
        const auto most = entered() ? wire::noise::record_plain_bytes_max : first_record_bytes_max;
        // It fails after more records than anybody can send.
        static_cast<void>(records_->writer.write(frames, sealed_output_, most));
        frames.clear();
    }
    return sealed_output_;
}

void Protocol::seal_output() {
    if (output_.empty()) return;
    wire::Sealing sealing{features_, options_.compress_from, {}};
    if ((features_ & wire::feature::time) != 0)
        sealing.sent_ms = options_.milliseconds ? options_.milliseconds() : steady_milliseconds();
    for (auto frames = output_.view(); !frames.empty();) {
        const auto cut = wire::cut_frame(frames, frames.size());
        wire::seal(cut.payload, sealing, (cut.payload[0] & wire::flag::secret) != 0, framed_output_);
        frames = frames.subspan(cut.consumed());
    }
    output_.clear();
}

void Protocol::receive(BytesView bytes, Time now) {
    if (!connected()) return;
    last_heard_ = now;
    records_ ? take_records(bytes, now) : take_stream(bytes, now);
}

void Protocol::take_stream(BytesView bytes, Time now) {
    if (input_.empty()) {
        const auto used = take_frames(bytes, now);
        const auto rest = bytes.subspan(used);
        if (!connected()) return;
        records_ ? take_records(rest, now) : input_.append(rest);
        return;
    }
    input_.append(bytes);
    const auto used = take_frames(input_.view(), now);
    if (!connected()) return;
    input_.consume(used);
    if (records_) {
        const auto rest = std::exchange(input_, Buffer{});
        take_records(rest, now);
    } else if (input_.empty()) {
        input_.release();
    }
}

void Protocol::take_records(BytesView bytes, Time now) {
    if (sealed_input_.empty()) {
        const auto used = open_records(bytes, now);
        if (connected()) sealed_input_.append(bytes.subspan(used));
        return;
    }
    sealed_input_.append(bytes);
    const auto used = open_records(sealed_input_.view(), now);
    if (!connected()) return;
    sealed_input_.consume(used);
    if (sealed_input_.empty()) sealed_input_.release();
}

std::size_t Protocol::open_records(BytesView stream, Time now) {
    using Status = wire::noise::RecordReader::Status;
    std::size_t used = 0;
    auto status = Status::record;
    while (status == Status::record) {
        const auto read = records_->reader.read(stream.subspan(used), input_);
        status = read.status;
        used += read.consumed;
    }
    const auto taken = take_frames(input_.view(), now);
    if (!connected()) return used;
    input_.consume(taken);
    if (input_.empty()) input_.release();
    if (status == Status::end) lost("the server closed it");
    // Whoever can change bytes on the way can also cut the connection: the session goes on over another one.
    if (status == Status::broken) end({Code::unavailable, "what came is not what the server encrypted", true});
    return used;
}

std::size_t Protocol::take_frames(BytesView stream, Time now) {
    std::size_t used = 0;
    while (connected()) {
        const auto cut = wire::cut_frame(stream.subspan(used), options_.frame_bytes_max);
        if (cut.status == wire::FrameCut::Status::incomplete) break;
        if (cut.status == wire::FrameCut::Status::too_long) {
            if (state_ == State::hello) {
                end(unproved(
                    refusal(Code::invalid,
                            "what answers there is not a gateway: its first bytes are no hello. Check the port")));
            } else {
                fail(fmt::format("the server sent a frame of {} bytes; at most {} are accepted", cut.length,
                                 options_.frame_bytes_max));
            }
            break;
        }
        used += cut.consumed();
        const bool was_hello = state_ == State::hello;
        take_frame(cut.payload, now);
        if (was_hello && records_) break;  // what follows is encrypted
    }
    return used;
}

void Protocol::take_frame(BytesView payload, Time now) {
    if (state_ == State::hello) {
        take_hello(payload, now);
        return;
    }
    if (!wire::is_plain(payload, features_ & ~wire::feature::time)) {
        unsealed_.clear();
        const auto unsealed = wire::unseal(payload, false, features_, options_.frame_bytes_max, unsealed_);
        if (unsealed.fault == wire::SealFault::checksum) {
            end({Code::unavailable, unsealed.why, true});  // the session goes on over another connection
            return;
        }
        if (unsealed.fault != wire::SealFault::none) {
            fail(fmt::format("the server sent a message that cannot be read: {}", unsealed.why));
            return;
        }
        payload = unsealed_.view().subspan(wire::frame_prefix_bytes);
    }
    const auto message = wire::parse_message(payload);
    if (message.fault != nullptr) {
        fail(fmt::format("the server sent a message that cannot be read: {}", message.fault));
        return;
    }
    take_message(message, now);
    if (entered() && session_.must_acknowledge()) session_.write_ack(output_);
}

void Protocol::take_message(const wire::MessageView& message, Time now) {
    switch (message.header.kind) {
        case wire::Kind::reply:
            if (is_next(message, now)) take_reply(message, now);
            break;
        case wire::Kind::request:
            fail("the server sent a request; only clients do");
            break;
        case wire::Kind::push:
        case wire::Kind::control:
            if (message.header.command < first_module_command) {
                take_control(message, now);
            } else if (is_next(message, now)) {
                events_.on_push(message.header.command, message.body);
            }
    }
}

/// Also true for what has no number.
bool Protocol::is_next(const wire::MessageView& message, Time now) {
    const auto number = message.header.session;
    if (number == 0) return true;
    if (!entered()) {
        fail("the server sent a numbered message before it let the player in");
        return false;
    }
    switch (session_.receive(number, message.raw.size(), now)) {
        case Session::Arrival::next:
            return true;
        case Session::Arrival::duplicate:
            return false;
        case Session::Arrival::hole:
            end({Code::unavailable,
                 fmt::format("message {} came where {} was due: something is missing", number, session_.received() + 1),
                 true});
    }
    return false;
}

/// Before an encrypted gateway has shown who it is, anybody on the way can refuse: that ends no session.
wire::Close Protocol::unproved(wire::Close close) const {
    close.reconnect = close.reconnect || (in_session_ && !options_.roots.empty());
    return close;
}

void Protocol::take_hello(BytesView payload, Time now) {
    auto hello = wire::parse_server_hello(payload);
    if (!hello) {
        end(unproved(refusal(Code::invalid, "what answers there is not a gateway: " + hello.error().message())));
        return;
    }
    if (hello->code != Code::ok) {
        end(unproved(refusal(hello->code, hello->message)));
        return;
    }
    if (handshake_ && !secure(*hello)) return;
    const auto security = records_ ? wire::noise::security_name : "none";
    if (hello->protocol != wire::protocol_version || hello->security != security) {
        end(refusal(Code::invalid,
                    fmt::format("the server chose protocol {} with security '{}'; this client has protocol {} "
                                "with security '{}'",
                                hello->protocol, hello->security, wire::protocol_version, security)));
        return;
    }
    if ((hello->features & ~options_.features) != 0) {
        end(refusal(Code::invalid, "the server chose features that this client did not offer"));
        return;
    }
    features_ = hello->features;
    session_.mark_secrets(features_ != 0);
    heartbeat_ = std::chrono::milliseconds{hello->heartbeat_ms};
    sent_frame_bytes_max_ = hello->frame_bytes_max;
    state_ = State::entering;
    wire::Enter enter;
    if (in_session_) {
        enter = session_.resumption(hello->nonce);
    } else {
        enter.token = std::exchange(token_, {});
    }
    enter.device = options_.device;
    wire::Header header{wire::Kind::request, false, command_of<wire::Enter>, 0};
    header.secret = features_ != 0;
    wire::write_framed(output_, header, enter);
    if (heartbeat_ > Duration::zero()) next_ping_ = now + heartbeat_;
}

/// From here on all is encrypted; `hello` becomes the one that counts.
bool Protocol::secure(wire::ServerHello& hello) {
    const auto now = options_.unix_seconds ? options_.unix_seconds() : system_seconds();
    auto finished = handshake_->finish(hello, {roots(), options_.zone}, now);
    handshake_.reset();
    if (!finished) {
        // A session that is away is not over because somebody else answers: another gateway may be genuine.
        end({finished.error().code(), finished.error().message(), in_session_});
        return false;
    }
    hello = std::move(finished->hello);
    records_.emplace(std::move(finished->records));
    return true;
}

void Protocol::take_entered(const wire::MessageView& message, Time now) {
    if (message.header.error) {
        auto error = msgpack::decode<wire::ErrorBody>(message.body);
        if (!error) return fail("the server sent an error that does not decode");
        if (in_session_ && !worth_another_try(error->code))
            return give_up(resume_refusal(error->code, std::move(error->message)));
        return end(refusal(error->code, std::move(error->message)));
    }
    const auto entered = msgpack::decode<wire::Entered>(message.body);
    if (!entered) return fail("the server's Entered does not decode: " + entered.error().message());
    const bool is_fresh = entered->state == wire::SessionState::fresh;
    if (is_fresh == in_session_) {
        return fail(is_fresh ? "the server began a new session where one was to be resumed"
                             : "the server resumed a session where a new one was to begin");
    }
    if (is_fresh) {
        session_.begin(*entered);
        session_.mark_secrets(features_ != 0);
        in_session_ = true;
    } else if (const auto goes_on = session_.go_on(*entered); !goes_on) {
        return fail(goes_on.error().message());
    }
    state_ = State::entered;
    enter_by_ = Time::max();
    if (heartbeat_ > Duration::zero()) send_ping(now);
    if (is_fresh) return events_.on_entered(*entered);
    session_.write_after(output_, entered->received);
    events_.on_resumed(*entered);
}

void Protocol::take_reply(const wire::MessageView& message, Time now) {
    const auto id = message.header.request_id;
    if (state_ == State::entering && id == 0) return take_entered(message, now);
    std::shared_ptr<Pending> pending;
    switch (session_.answer(message.header, pending)) {
        case Session::Answer::of_nothing:
            return fail(fmt::format("the server answered request {}, which was not sent", id));
        case Session::Answer::of_other_command:
            return fail(fmt::format("the server answered request {} as command {}, which is another one", id,
                                    message.header.command));
        case Session::Answer::late:
            ++late_replies_;
            return;
        case Session::Answer::expected:
            break;
    }
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
    } else if (message.header.command == command_of<wire::Queued> && state_ == State::entering) {
        const auto queued = msgpack::decode<wire::Queued>(message.body);
        if (!queued) return fail("the server's Queued does not decode");
        enter_by_ = now + options_.enter_deadline;
        events_.on_queued(*queued);
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
    auto next = session_.earliest_deadline();
    if (!connected()) return next;
    next = std::min({next, enter_by_, next_ping_});
    if (entered()) next = std::min(next, session_.acknowledge_by());
    if (heartbeat_ > Duration::zero()) next = std::min<Time>(next, last_heard_ + 2 * heartbeat_);
    return next;
}

void Protocol::tick(Time now) {
    if (now >= enter_by_) {
        end(refusal(Code::deadline, fmt::format("the server did not let the player in within {} ms",
                                                milliseconds_of(options_.enter_deadline))));
    } else if (connected() && heartbeat_ > Duration::zero() && now - last_heard_ >= 2 * heartbeat_) {
        end(refusal(Code::unavailable,
                    fmt::format("nothing was heard from the server for {} ms", milliseconds_of(2 * heartbeat_))));
    }
    if (now >= next_ping_) send_ping(now);
    if (entered() && now >= session_.acknowledge_by()) session_.write_ack(output_);
    if (now < session_.earliest_deadline()) return;
    for (const auto& pending : session_.expire(now))
        pending->finish(Error{Code::deadline, "no answer in time; whether it was done is unknown"});
}

Result<void> Protocol::may_send(std::size_t body_bytes, std::string_view name) const {
    if (!in_session_) return Error{Code::unavailable, "not connected; {} was not sent", name};
    if (sent_frame_bytes_max_ != 0 && body_bytes + wire::header_bytes_max > sent_frame_bytes_max_) {
        return Error{Code::invalid, "{} has {} bytes with its header; the server takes at most {}", name,
                     body_bytes + wire::header_bytes_max, sent_frame_bytes_max_};
    }
    if (session_.kept() >= options_.requests_max) {
        return Error{Code::busy, "{} was not sent: {} requests are not answered", name, session_.kept()};
    }
    if (session_.kept_bytes() > options_.requests_bytes_max) {
        return Error{Code::busy, "{} was not sent: requests of {} bytes are not answered", name, session_.kept_bytes()};
    }
    return {};
}

void Protocol::send_request(Session::Request request, std::string_view name) {
    auto allowed = may_send(request.body.size(), name);
    if (!allowed) return request.pending->finish(std::move(allowed).error());
    const auto id = session_.add(std::move(request));
    if (entered()) session_.write(output_, id);
}

void Protocol::lost(std::string_view reason) {
    const bool is_cut = records_ && !records_->reader.ended();
    end({Code::unavailable, fmt::format("the connection was {}: {}", is_cut ? "cut" : "lost", reason), true});
}

void Protocol::fail(std::string reason) { give_up({Code::invalid, std::move(reason), false}); }

void Protocol::close() {
    if (entered()) {
        wire::write_framed(output_, {wire::Kind::control, false, command_of<wire::Leave>, 0}, wire::Leave{});
    }
    if (connected() && records_) static_cast<void>(records_->writer.write_end(output()));
    leave_connection(State::closed);
    end_session();
}

/// The connection is over; the session, if there is one, goes on when the server allows it.
void Protocol::end(const wire::Close& close) {
    if (!connected()) return;
    if (!in_session_ || !close.reconnect) return give_up(close);
    leave_connection(State::away);
    features_ = 0;
    output_.clear();
    framed_output_.clear();
    sealed_output_.clear();
    events_.on_away(close);
}

void Protocol::give_up(const wire::Close& close) {
    if (!connected() && !away()) return;
    leave_connection(State::closed);
    end_session();
    events_.on_closed(close);
}

void Protocol::leave_connection(State state) {
    state_ = state;
    enter_by_ = next_ping_ = Time::max();
    heartbeat_ = Duration::zero();
}

void Protocol::end_session() {
    in_session_ = false;
    for (const auto& pending : session_.end()) {
        pending->finish(Error{Code::deadline, "the session ended before the answer; whether it was done is unknown"});
    }
}

}  // namespace gs::client
