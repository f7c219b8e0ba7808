#include "tests/sim/resender.hpp"

#include "tests/scenarios/trial_module.hpp"

namespace gs::sim {

using namespace std::chrono_literals;

namespace {
constexpr std::uint64_t unanswered_max = 8;
}

Resender::Resender(BotWorld& world, std::uint64_t seed, std::string host, PlayerId player)
    : world_{world}, random_{seed, host}, host_{std::move(host)}, player_{player} {}

void Resender::again_later() {
    world_.loop.after(random_.exponential(1s), [this] { connect(); });
}

void Resender::connect() {
    if (ended_) return;
    const auto connected = [this, attempt = ++attempt_](Result<std::shared_ptr<transport::Connection>> result) {
        if (!result) return again_later();
        if (ended_ || attempt != attempt_) return (*result)->close();
        connection_ = std::move(*result);
        connection_->start(*this);
        wire::write_hello(connection_->output(), wire::ClientHello{});
        // It leaves its connections often: what it is there for is the next one.
        world_.loop.after(random_.over_magnitudes(200ms, 20s), [this, attempt] {
            if (attempt != attempt_ || connection_ == nullptr) return;
            drop_connection();
            again_later();
        });
    };
    world_.network.connect_from(host_, world_.loop, random_.pick(world_.gateways), 1s, connected);
}

void Resender::drop_connection() {
    connection_->close();
    connection_.reset();
    input_.clear();
    greeted_ = entered_ = false;
    ++attempt_;
}

void Resender::end() {
    ended_ = true;
    if (connection_ == nullptr) return;
    if (entered_) {
        wire::write_framed(connection_->output(), {wire::Kind::control, false, command_of<wire::Leave>, 0},
                           wire::Leave{});
    }
    connection_->close_after_send();
    connection_.reset();
}

void Resender::on_closed(const Error& /*why*/) {
    if (connection_ == nullptr) return;
    drop_connection();
    if (!ended_) again_later();
}

std::size_t Resender::on_bytes(BytesView bytes) {
    input_.append(bytes);
    while (connection_ != nullptr) {
        const auto cut = wire::cut_frame(input_, 1U << 20U);
        if (cut.status != wire::FrameCut::Status::frame) break;
        take(cut.payload);
        if (connection_ != nullptr) input_.consume(cut.consumed());
    }
    return bytes.size();
}

void Resender::take(BytesView payload) {
    if (!std::exchange(greeted_, true)) return take_hello(payload);
    const auto message = wire::parse_message(payload);
    const auto number = message.header.session;
    if (number != 0 && number <= received_) return;  // it comes again, as it should
    received_ = std::max(received_, number);
    if (message.header.command == command_of<wire::Ping>) {
        const auto ping = msgpack::decode<wire::Ping>(message.body).value();
        wire::write_framed(connection_->output(), {wire::Kind::control, false, command_of<wire::Pong>, 0},
                           wire::Pong{ping.sent_us});
    } else if (message.header.kind == wire::Kind::reply) {
        message.header.request_id == 0 ? take_entered(message) : take_reply(message);
    }
}

void Resender::take_hello(BytesView payload) {
    const auto hello = wire::parse_server_hello(payload);
    if (!hello || hello->code != Code::ok) return;
    wire::Enter enter;
    if (session_ == 0) {
        enter.token = token_of(world_.loop, player_);
    } else {
        enter.player = player_;
        enter.session = session_;
        enter.received = received_;
        enter.answered = answered_;
        enter.proof = wire::session_proof(key_, hello->nonce, enter);
    }
    wire::write_framed(connection_->output(), {wire::Kind::request, false, command_of<wire::Enter>, 0}, enter);
}

void Resender::take_entered(const wire::MessageView& message) {
    if (message.header.error) {
        const auto code = msgpack::decode<wire::ErrorBody>(message.body).value().code;
        const bool is_over = code == Code::not_found || code == Code::unauthenticated || code == Code::fenced;
        if (is_over) session_ = 0;
        return;  // the gateway closes
    }
    const auto entered = msgpack::decode<wire::Entered>(message.body).value();
    world_.trace.note("resender in", host_, static_cast<std::uint64_t>(entered.state), entered.received);
    entered_ = true;
    if (entered.state == wire::SessionState::fresh) {
        session_ = entered.session;
        key_ = entered.key;
        received_ = answered_ = 0;
        deposits_.clear();
    } else {
        received_ = entered.next - 1;
        // All that is not answered, though the server has said how far it has them; what it has not, it needs.
        const auto first = random_.chance(0.5) ? answered_ + 1 : entered.received + 1;
        for (auto id = std::min(first, entered.received + 1); id <= deposits_.size(); ++id) send_request(id);
    }
    act_later();
}

void Resender::take_reply(const wire::MessageView& message) {
    const auto id = message.header.request_id;
    if (id > deposits_.size())
        return world_.trace.fail(fmt::format("{} got an answer to request {}, of {}", host_, id, deposits_.size()));
    answered_ = std::max(answered_, id);
    if (message.header.error) return;
    const auto gold = msgpack::decode<scenarios::Gold>(message.body).value().gold;
    world_.trace.note("resender", host_, id, gold);
    if (gold <= asked_) return;
    world_.trace.fail(
        fmt::format("{} has {} gold, and only {} was ever deposited: a request was done twice", host_, gold, asked_));
}

void Resender::send_request(std::uint64_t id) {
    wire::write_framed(connection_->output(),
                       {wire::Kind::request, false, command_of<scenarios::Deposit>, id, received_},
                       scenarios::Deposit{deposits_[id - 1], false});
}

void Resender::act_later() {
    world_.loop.after(random_.exponential(300ms), [this, attempt = attempt_] {
        if (attempt != attempt_ || connection_ == nullptr || !entered_) return;
        act();
        act_later();
    });
}

void Resender::act() {
    if (deposits_.size() - answered_ < unanswered_max) {
        deposits_.push_back(random_.between(1, 9));
        asked_ += deposits_.back();
        send_request(deposits_.size());
    }
    // Any that it has sent, also one that is answered.
    if (random_.chance(0.5)) send_request(random_.between(1, deposits_.size()));
}

}  // namespace gs::sim
