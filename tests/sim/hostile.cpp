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

std::size_t Hostile::on_bytes(BytesView bytes) { return bytes.size(); }

void Hostile::on_closed(const Error& /*why*/) {
    connection_.reset();
    again_later();
}

void Hostile::say_hello() { wire::write_hello(connection_->output(), wire::ClientHello{}); }

void Hostile::enter(const std::string& token) {
    wire::Enter enter;
    enter.token = token;
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

void Hostile::attack() {
    const auto kind = random_.between(0, 9);
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
            enter(token_of(world_.loop, own_player, "another zone"));
            return;
        case 5: {
            say_hello();
            auto token = token_of(world_.loop, random_.pick(world_.players));
            token[token.size() / 2] = token[token.size() / 2] == 'A' ? 'B' : 'A';
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
        default:
            say_hello();
            enter(token_of(world_.loop, own_player));
            send_random(random_.between(1, 5000));
    }
}

}  // namespace gs::sim
