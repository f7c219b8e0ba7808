#include "roles/gateway/client.hpp"

#include "api/crypto.hpp"

#include "roles/gateway/gateway.hpp"

namespace gs::gateway {

Client::Client(Gateway& gateway, std::uint64_t id, std::shared_ptr<transport::Connection> connection)
    : gateway_{gateway},
      connection_{std::move(connection)},
      id_{id},
      since_{gateway.second()},
      heard_{gateway.second()} {
    address_ = connection_->remote();
    if (const auto parts = transport::parse_host_port(address_)) set_address(parts->host);
    fill_random(nonce_);
    behind_proxy_ = gateway.settings().proxies.contains(address_);
}

/// A stranger: until it plays, those who do are served first.
void Client::start() {
    connection_->set_background(true);
    connection_->start(*this);
}

void Client::set_address(const std::string& address) {
    const auto canonical = session::canonical_address(address);
    address_ = canonical.empty() ? address : canonical;
}

std::vector<std::string> Client::ban_keys() const {
    std::vector<std::string> keys{session::ban_of_address(address_)};
    if (!is_attached()) return keys;
    keys.push_back(session::ban_of_player(player_));
    if (!device_.empty()) keys.push_back(session::ban_of_device(device_));
    return keys;
}

void Client::attach(PlayerId player, const session::Attached& attached, std::string device) {
    device_ = std::move(device);
    player_ = player;
    epoch_ = attached.epoch;
    game_ = attached.game;
    session_ = attached.session;
}

std::size_t Client::on_bytes(BytesView bytes) {
    heard_ = gateway_.second();
    if (is_held()) return 0;
    if (state_ == State::handshake) return wait_for_handshake(0);
    if (behind_proxy_) return take_proxy_header(bytes);
    if (state_ == State::hello && bytes.size() >= wire::frame_prefix_bytes) {
        const auto protocol = wire::foreign_protocol(bytes);
        if (!protocol.empty()) return unwrap(bytes, protocol);
    }
    gateway_.count().bytes_in.add(bytes.size());
    std::size_t taken = 0;
    while (state_ != State::closed) {
        const auto rest = bytes.subspan(taken);
        const auto& limits = gateway_.settings();
        const auto length_max = state_ == State::playing ? limits.frame_bytes_max : limits.frame_bytes_max_before_enter;
        const auto cut = wire::cut_frame(rest, length_max);
        if (cut.status == wire::FrameCut::Status::incomplete) break;
        if (cut.status == wire::FrameCut::Status::too_long) {
            relay();
            gateway_.count().rejected_size.add();
            const auto reason = fmt::format("a frame of {} bytes; at most {} are allowed here", cut.length, length_max);
            state_ == State::hello ? refuse_hello(Code::invalid, reason) : close(Code::invalid, reason, false);
            return bytes.size();
        }
        taken += cut.consumed();
        partial_ = 0;
        if (state_ == State::hello || wire::is_plain(cut.payload, features_)) {
            on_frame(rest.first(cut.consumed()), cut.payload);
        } else if (!take_sealed(cut.payload)) {
            return bytes.size();
        }
        if (state_ == State::handshake) return taken == bytes.size() ? taken : wait_for_handshake(taken);
    }
    relay();
    if (state_ == State::closed) return bytes.size();
    if (taken == bytes.size()) {
        partial_ = 0;
    } else if (partial_ == 0) {
        partial_ = gateway_.second();
    }
    check_queue();  // answers to pings and refusals count too
    if (state_ != State::closed) throttle(taken);
    return taken;
}

/// Until more comes it is read, so that its end is seen.
std::size_t Client::wait_for_handshake(std::size_t taken) {
    connection_->set_reading(false);
    return taken;
}

void Client::on_frame(BytesView frame, BytesView payload) {
    if (state_ == State::hello) {
        on_hello(payload);
        return;
    }
    gateway_.count().messages_in.add();
    const auto message = wire::parse_message(payload);
    const bool is_request =
        message.fault == nullptr && message.header.kind == wire::Kind::request && !message.header.error;
    const bool is_ack = message.fault == nullptr && message.header.kind == wire::Kind::control &&
                        message.header.command == command_of<wire::Ack>;
    if (state_ == State::playing && is_request && message.header.request_id == 0) {
        relay();
        gateway_.count().rejected_command.add();
        reply_error(message.header, {Code::invalid, "this connection has entered; request ids count from 1"});
        return;
    }
    if (state_ == State::playing && (is_request || is_ack)) {
        if ((is_ack || is_for_modules(message.header.command)) && !over_rate(is_ack ? 0 : message.header.command)) {
            if (late_ && is_request) return refuse_late(message.header);
            late_in_row_ = 0;
            relayed_ = {relayed_.empty() ? frame.data() : relayed_.data(), relayed_.size() + frame.size()};
            return;
        }
        if (is_ack) return;  // a later one says as much
        relay();
        relay_refused(message.header, refusal(message.header.command));
        return;
    }
    relay();
    if (state_ == State::closed) return;
    if (message.fault != nullptr) {
        gateway_.count().rejected_malformed.add();
        close(Code::invalid, message.fault, false);
    } else if (message.header.kind == wire::Kind::control) {
        on_control(message);
    } else if (!is_request) {
        gateway_.count().rejected_malformed.add();
        close(Code::invalid, "clients send requests and control messages only", false);
    } else {
        on_token(message);
    }
}

bool Client::take_sealed(BytesView payload) {
    relay();  // what came before keeps its place, and what follows is not beside it in memory
    if (state_ == State::closed) return false;
    auto& frame = gateway_.unsealed();
    frame.clear();
    const auto& limits = gateway_.settings();
    const auto longest = state_ == State::playing ? limits.frame_bytes_max : limits.frame_bytes_max_before_enter;
    const auto unsealed = wire::unseal(payload, true, features_, longest, frame);
    if (unsealed.fault != wire::SealFault::none) {
        auto& count = gateway_.count();
        (unsealed.fault == wire::SealFault::checksum      ? count.rejected_checksum
         : unsealed.fault == wire::SealFault::compression ? count.rejected_compression
                                                          : count.rejected_malformed)
            .add();
        close(Code::invalid, unsealed.why, unsealed.fault == wire::SealFault::checksum);
        return false;
    }
    // What it is when nothing is done to it counts, since that is what goes on.
    begin_second();
    if (frame.size() > payload.size()) bytes_this_second_ += frame.size() - payload.size();
    late_ = unsealed.sent_ms && !is_fresh(*unsealed.sent_ms);
    on_frame(frame, frame.view().subspan(wire::frame_prefix_bytes));
    late_ = false;
    relay();
    return state_ != State::closed;
}

void Client::on_token(const wire::MessageView& message) {
    if (state_ == State::entering) {
        close(Code::invalid, "wait for the answer to enter before the next request", false);
        return;
    }
    wire::Enter enter;
    const auto decoded = msgpack::decode_into(message.body, enter);
    if (message.header.command != command_of<wire::Enter> || message.header.request_id != 0 || !decoded) {
        gateway_.count().rejected_token.add();
        const Error error{Code::unauthenticated,
                          "the first request must be enter, with the request id 0 and a token from login"};
        reply_error(message.header, error);
        close(error.code(), error.message(), false);
        return;
    }
    state_ = State::entering;
    since_ = gateway_.second();
    gateway_.enter(*this, std::move(enter));
}

void Client::refuse_enter(const Error& error) {
    reply_error({wire::Kind::request, false, command_of<wire::Enter>}, error);
    const auto code = error.code();
    const bool worth_another_try = code == Code::busy || code == Code::unavailable || code == Code::limited ||
                                   code == Code::deadline || code == Code::internal;
    close(code, error.message(), worth_another_try);
}

void Client::play(const session::Attached& attached, const session::Entrance& entrance) {
    state_ = State::playing;
    set_background(false);
    since_ = heard_ = gateway_.second();  // one who has waited in the queue had nothing to say
    if (secure_ != nullptr) secure_->set_record_bytes_max(wire::noise::record_plain_bytes_max);
    wire::Entered entered;
    entered.player = player_;
    entered.server_time_ms = gateway_.wall_ms();
    entered.session = attached.session;
    entered.key = attached.key;
    entered.state = entrance.state;
    entered.received = entrance.received;
    entered.next = entrance.next;
    Buffer frame;
    wire::Header header{wire::Kind::reply, false, command_of<wire::Enter>};
    header.secret = true;
    wire::write_framed(frame, header, entered);
    write(frame);
    send_frames(entrance.frames);
    send_frames(std::exchange(early_, Buffer{}));
}

void Client::wait_in_queue(const RoleAddress& center, std::uint64_t ticket) {
    queue_ = center;
    ticket_ = ticket;
    since_ = gateway_.second();
}

void Client::tell_queued(const wire::Queued& queued) {
    since_ = gateway_.second();
    send_control(command_of<wire::Queued>, msgpack::encode(queued));
}

void Client::leave_queue() {
    ticket_ = 0;
    since_ = gateway_.second();
}

void Client::hold() {
    if (!is_held()) held_since_ = gateway_.now();
    held_ = Held::by_game;
    connection_->set_reading(false);
}

void Client::release() {
    if (!is_held()) return;
    held_ = Held::no;
    gateway_.count().held.observe(gateway_.now() - held_since_);
    forget_clock();
    if (!throttled_) connection_->set_reading(true);
}

void Client::switch_to(const RoleAddress& game) {
    game_ = game;
    held_ = Held::switching;
}

void Client::go_on(const session::Entrance& entrance) {
    held_ = Held::by_game;  // what comes is sent at once
    send_frames(entrance.frames);
    send_frames(std::exchange(early_, Buffer{}));
    release();
}

void Client::relay() {
    if (!relayed_.empty()) to_game(std::exchange(relayed_, {}));
}

void Client::relay_refused(const wire::Header& request, const Error& error) {
    if (state_ == State::closed) return;
    Buffer frame;
    auto header = request;
    header.error = true;
    wire::write_framed(frame, header, wire::ErrorBody{error.code(), error.message()});
    to_game(frame);
}

void Client::to_game(BytesView frames) {
    if (!gateway_.to_game(*this, frames)) close_unreachable();
}

void Client::on_control(const wire::MessageView& message) {
    if (message.header.command == command_of<wire::Ping>) {
        const auto ping = msgpack::decode<wire::Ping>(message.body);
        if (ping) send_control(command_of<wire::Pong>, msgpack::encode(wire::Pong{ping->sent_us}));
    } else if (message.header.command == command_of<wire::Pong>) {
        const auto pong = msgpack::decode<wire::Pong>(message.body);
        const auto now = gateway_.monotonic_us();
        if (!pong || pong->sent_us > now) return;
        rtt_us_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(now - pong->sent_us, UINT32_MAX));
        gateway_.count().rtt.observe(std::chrono::microseconds{rtt_us_});
    } else if (message.header.command == command_of<wire::Leave>) {
        left_ = true;
        close(Code::ok, "the client left", false);
    }
}

void Client::send_control(Command command, BytesView body) {
    Buffer frame;
    const auto begin = wire::begin_frame(frame);
    wire::write_header(frame, {wire::Kind::control, false, command, 0});
    frame.append(body);
    wire::finish_frame(frame, begin);
    write(frame);
}

void Client::write(BytesView frames) {
    if (!frames.empty()) seal(frames, connection_->output());
}

void Client::seal(BytesView frames, Buffer& out) const {
    const auto shortest = gateway_.settings().compress_from;
    const bool all_short = shortest == 0 || frames.size() < shortest;
    if (features_ == 0 || (all_short && (features_ & wire::feature::checksum) == 0)) {
        out.append(frames);
        return;
    }
    while (!frames.empty()) {  // our own: whole
        const auto cut = wire::cut_frame(frames, frames.size());
        wire::seal(cut.payload, {features_, shortest, {}}, (cut.payload[0] & wire::flag::secret) != 0, out);
        frames = frames.subspan(cut.consumed());
    }
}

void Client::send_frames(BytesView frames) {
    if (overflown_ || frames.empty()) return;
    if (state_ == State::playing && held_ != Held::switching) {
        send_now(frames);
    } else if (state_ == State::playing || state_ == State::entering) {
        early_.append(frames);
        if (early_.size() > gateway_.settings().queue_bytes_max) gateway_.end_later(*this, "it does not enter in time");
    }
}

void Client::send_now(BytesView frames) {
    send_kept_states();
    const bool behind = is_behind();
    std::uint64_t messages = 0;
    std::size_t bytes = 0;
    auto unwritten = frames;
    for (auto rest = frames; !rest.empty();) {
        const auto cut = wire::cut_frame(rest, rest.size());
        if (cut.status != wire::FrameCut::Status::frame) break;
        const auto frame = rest.first(cut.consumed());
        rest = rest.subspan(cut.consumed());
        const auto state = behind ? wire::state_command(cut.payload) : Command{0};
        if (state == 0) {
            ++messages;
            bytes += frame.size();
            continue;
        }
        write(unwritten.first(static_cast<std::size_t>(frame.data() - unwritten.data())));
        unwritten = rest;
        Buffer sealed;
        seal(frame, sealed);
        keep_state(state, SharedBytes{sealed});
    }
    write(unwritten);
    gateway_.count().bytes_out.add(bytes);
    gateway_.count().messages_out.add(messages);
    check_queue();
}

void Client::send_frame(const SharedBytes& frame, Command state) {
    if (state_ != State::playing || overflown_) return;
    send_kept_states();
    if (state != 0 && is_behind()) {
        keep_state(state, frame);
        return;
    }
    connection_->send(frame);
    gateway_.count().messages_out.add();
    gateway_.count().bytes_out.add(frame.size());
    check_queue();
}

/// Outside of the session's stream.
void Client::reply_error(const wire::Header& request, const Error& error) {
    Buffer frame;
    const auto begin = wire::begin_frame(frame);
    wire::write_error(frame, request, error);
    wire::finish_frame(frame, begin);
    write(frame);
}

void Client::close(Code code, std::string_view reason, bool reconnect) {
    if (state_ == State::closed) return;
    if (state_ == State::hello ||
        state_ == State::handshake) {  // nothing but an answer to its hello would be understood
        refuse_hello(code, reason);
        return;
    }
    wire::Close notice;
    notice.code = code;
    notice.reason = reason;
    notice.reconnect = reconnect;
    close(notice);
}

void Client::close(const wire::Close& notice) {
    send_control(command_of<wire::Close>, msgpack::encode(notice));
    connection_->close_after_send();
    state_ = State::closed;
    gateway_.ended(*this, notice.reason);
}

void Client::on_closed(const Error& why) {
    if (state_ == State::closed) return;
    if (why.code() == Code::invalid) {  // a layer below could not be spoken
        auto& count = gateway_.count();
        (state_ == State::hello ? count.rejected_foreign : count.rejected_malformed).add();
    }
    state_ = State::closed;
    gateway_.ended(*this, why.message());
}

}  // namespace gs::gateway
