#include "tests/sim/hostile.hpp"

#include "modules/echo/messages.hpp"

namespace gs::sim {

using namespace std::chrono_literals;

namespace {
/// Nobody honest plays this one.
constexpr PlayerId own_player{666};
}  // namespace

Hostile::Hostile(BotWorld& world, std::uint64_t seed, std::string host)
    : world_{world}, random_{seed, host}, host_{std::move(host)} {}

void Hostile::again_later() {
    if (ended_) return;
    world_.loop.after(random_.exponential(4s), [this] { connect(); });
}

void Hostile::connect() {
    if (ended_) return;
    world_.network.connect_from(host_, world_.loop, random_.pick(world_.gateways), 1s,
                                [this, attempt = ++attempt_](Result<std::shared_ptr<transport::Connection>> result) {
                                    if (!result) {
                                        again_later();
                                        return;
                                    }
                                    if (ended_ || attempt != attempt_) {
                                        (*result)->close();
                                        return;
                                    }
                                    connection_ = std::move(*result);
                                    connection_->start(*this);
                                    input_.clear();
                                    must_be_refused_ = false;
                                    attack();
                                    world_.loop.after(random_.over_magnitudes(10ms, 40s), [this, attempt] {
                                        if (attempt != attempt_ || connection_ == nullptr) return;
                                        connection_->close();
                                        connection_.reset();
                                        again_later();
                                    });
                                });
}

void Hostile::end() {
    ended_ = true;
    if (connection_ != nullptr) connection_->close();
    connection_.reset();
}

/// What is never right: to be let in without a right to it.
std::size_t Hostile::on_bytes(BytesView bytes) {
    if (!must_be_refused_) return bytes.size();
    input_.append(bytes);
    for (;;) {
        const auto cut = wire::cut_frame(input_, 1U << 20U);
        if (cut.status != wire::FrameCut::Status::frame) return bytes.size();
        const auto message = wire::parse_message(cut.payload);
        const bool is_answer = message.fault == nullptr && message.header.kind == wire::Kind::reply;
        if (is_answer && message.header.command == command_of<wire::Enter> && !message.header.error) {
            world_.trace.fail(host_ + " was let in with a forged token or a proof that is not its own");
        }
        input_.consume(cut.consumed());
    }
}

void Hostile::on_closed(const Error& /*why*/) {
    connection_.reset();
    again_later();
}

void Hostile::say_hello() { wire::write_hello(connection_->output(), wire::ClientHello{}); }

void Hostile::enter(const std::string& token) {
    wire::Enter enter;
    enter.token = token;
    this->enter(enter);
}

void Hostile::enter(const wire::Enter& enter) {
    wire::write_framed(connection_->output(), {wire::Kind::request, false, command_of<wire::Enter>, 0}, enter);
}

void Hostile::send_random(std::size_t bytes) {
    auto& out = connection_->output();
    for (std::size_t count = 0; count < bytes; ++count) out.push_back(static_cast<std::uint8_t>(random_.next()));
}

void Hostile::send_frame_length(std::uint32_t length) {
    wire::write_length(connection_->output().extend(wire::frame_prefix_bytes), length);
}

void Hostile::flood() {
    for (std::uint64_t id = 1; id < 120; ++id) {
        wire::write_framed(connection_->output(), {wire::Kind::request, false, command_of<echo::Echo>, id},
                           echo::Echo{std::string(8'000, 'h')});
    }
    connection_->set_reading(false);
}

/// Somebody's session, with a proof that it cannot make.
void Hostile::forge_resume() {
    say_hello();
    must_be_refused_ = true;
    wire::Enter claim;
    claim.player = random_.pick(world_.world.players);
    claim.session = random_.chance(0.5) ? random_.next() : random_.between(1, 1000);
    claim.received = random_.between(0, 100);
    claim.proof.resize(random_.chance(0.9) ? 32 : random_.between(0, 64));
    for (auto& byte : claim.proof) byte = static_cast<std::uint8_t>(random_.next());
    enter(claim);
}

/// What a client sent to resume, word for word, on a connection of its own: the session and the proof are right, and
/// the proof is for another connection.
void Hostile::replay_resume() {
    const auto& all = world_.overheard[random_.pick(world_.world.players)];
    say_hello();
    if (all.empty()) return;
    must_be_refused_ = true;
    connection_->output().append(random_.chance(0.5) ? all.back() : random_.pick(all));
}

void Hostile::attack() {
    const auto kind = random_.between(0, 13);
    world_.trace.note("attack", host_, kind);
    switch (kind) {
        case 0:
            send_random(random_.between(1, 5000));
            return;
        case 1:
            return;  // says nothing
        case 2:
            send_frame_length(static_cast<std::uint32_t>(random_.next()));
            return;
        case 3:
            say_hello();
            send_random(random_.between(1, 5000));
            return;
        case 4:
            say_hello();
            must_be_refused_ = true;
            enter(token_of(world_.loop, own_player, "another zone"));
            return;
        case 5: {
            say_hello();
            auto token = token_of(world_.loop, random_.pick(world_.world.players));
            token[token.size() / 2] = token[token.size() / 2] == 'A' ? 'B' : 'A';
            must_be_refused_ = true;
            enter(token);
            return;
        }
        case 6:
            say_hello();
            send_frame_length(100);
            send_random(random_.between(1, 90));  // the rest never comes
            return;
        case 7:
            say_hello();
            flood();  // before it has entered
            return;
        case 8:
            say_hello();
            enter(token_of(world_.loop, own_player));
            flood();
            return;
        case 9:
        case 10:
            forge_resume();
            return;
        case 11:
        case 12:
            replay_resume();
            return;
        default:
            say_hello();
            enter(token_of(world_.loop, own_player));
            send_random(random_.between(1, 5000));
    }
}

}  // namespace gs::sim
