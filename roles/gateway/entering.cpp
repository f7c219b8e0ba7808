// How a client comes in: from its connection to the game that it plays in, over the queue when there is one.
#include "roles/gateway/gateway.hpp"

namespace gs::gateway {

namespace {
// Longer than any client waits: a grant that comes late must be given back, else the center counts a ghost as online.
constexpr auto attach_deadline = std::chrono::seconds{60};
}  // namespace

void Gateway::accept(std::shared_ptr<transport::Connection> connection) {
    counters_.accepted.add();
    const auto id = next_client_++;
    auto* client = (clients_[id] = std::make_unique<Client>(*this, id, std::move(connection))).get();
    const auto address = counted_address(*client);
    door_.come(address);
    const auto objection = door_.objection(address);
    client->start();
    if (!objection.empty()) turn_away(*client, objection);
}

void Gateway::set_address(Client& client, const std::string& address) {
    client.set_address(address);
    door_.come_from(client.address());
    const auto objection = door_.objection(client.address());
    if (!objection.empty()) turn_away(client, objection);
}

void Gateway::turn_away(Client& client, std::string_view why) {
    counters_.rejected_full.add();
    client.refuse(Code::busy, why);
}

void Gateway::shake_hands(Client& client, BytesView hello, wire::ServerHello answer) {
    answer.security = wire::noise::security_name;
    greetings_.push_back({client.id(), {hello.begin(), hello.end()}, std::move(answer)});
    shake_next_hands();
}

/// One after the other, and the loop runs in between: with few cores it would wait for all of them else.
void Gateway::shake_next_hands() {
    while (!shakes_hands_ && !greetings_.empty()) {
        auto next = std::move(greetings_.front());
        greetings_.pop_front();
        if (find(next.client) == nullptr) continue;
        shakes_hands_ = true;
        tasks_.spawn(handshake_task(std::move(next)), "handshake");
    }
}

runtime::Task<> Gateway::handshake_task(Greeting greeting) {
    const auto client_id = greeting.client;
    auto work = [greeting = std::move(greeting), identity = identity_->get()] {
        Buffer answer;
        auto records = wire::noise::answer_secure_hello(greeting.hello, identity, greeting.answer, answer).value();
        return Client::Handshaken{std::move(answer), std::move(records)};
    };
    auto outcome = co_await handshakes_.run(loop_, std::move(work));
    shakes_hands_ = false;
    if (auto* client = find(client_id)) client->end_handshake(std::move(outcome));
    shake_next_hands();
}

void Gateway::enter(Client& client, wire::Enter claim) {
    const auto player = player_of(claim);
    if (!player) {
        client.refuse_enter(player.error());
        return;
    }
    claim.token.clear();
    tasks_.spawn(enter_task(client.id(), *player, std::move(claim), 0), "enter");
}

Result<PlayerId> Gateway::player_of(const wire::Enter& claim) {
    if (claim.session != 0) return claim.player;  // whether it may, the center knows
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(loop_.wall_now());
    const auto claims = verifier_.verify(claim.token, now);
    if (!claims) {
        counters_.rejected_token.add();
        return claims.error();
    }
    return claims->player;
}

runtime::Task<> Gateway::enter_task(std::uint64_t client_id, PlayerId player, wire::Enter claim, std::uint64_t ticket) {
    const auto center = session::center_of(bus_, player);
    if (!center) {
        find(client_id)->refuse_enter(center.error());
        co_return;
    }
    session::Attach attach;
    attach.player = player;
    attach.claim = claim;
    attach.nonce = find(client_id)->nonce();
    attach.address = find(client_id)->address();
    attach.ticket = ticket;
    attach.client_version = find(client_id)->version();
    auto attached = co_await bus_.call(*center, std::move(attach), attach_deadline);
    auto* client = find(client_id);
    if (!attached) {
        if (attached.error().code() == Code::unauthenticated) counters_.rejected_token.add();
        if (attached.error().code() == Code::forbidden) counters_.banned.add();
        if (client != nullptr) client->refuse_enter(attached.error());
        co_return;
    }
    if (client == nullptr) {
        if (attached->ticket != 0) {
            bus_.send(*center, session::QueueLeft{attached->ticket});
        } else {
            give_up(player, *attached);
        }
        co_return;
    }
    if (attached->ticket != 0) {
        prove(*client);
        waiting_.wait(*client, *center, attached->ticket, player, std::move(claim));
        co_return;
    }
    const auto known = players_.find(player);
    auto* older = known == players_.end() ? nullptr : known->second;
    if (older != nullptr && older->epoch() > attached->epoch) {
        client->refuse_enter({Code::fenced, "a newer login of this account came at the same time"});
        give_up(player, *attached);
        co_return;
    }
    if (older != nullptr) older->close(Code::fenced, "this account logged in somewhere else", false);
    client->attach(player, *attached, claim.device);
    players_[player] = client;
    // A center may have let the player in before it heard of a ban that came here meanwhile.
    if (const auto* ban = bans_.of(*client)) {
        counters_.banned.add();
        client->refuse_enter(Error::verbatim(Code::forbidden, session::ban_text(*ban)));
        co_return;
    }
    co_await join_game(client_id, player, std::move(claim), *attached);
}

runtime::Task<> Gateway::join_game(std::uint64_t client_id, PlayerId player, wire::Enter claim,
                                   session::Attached attached) {
    session::EnterGame enter;
    enter.player = player;
    enter.epoch = attached.epoch;
    enter.session = attached.session;
    enter.resume = claim.session != 0;
    enter.received = claim.received;
    enter.answered = claim.answered;
    enter.moves = attached.moves;
    auto entrance = co_await bus_.call(attached.game, enter, enter_deadline);
    auto* client = find(client_id);
    if (client == nullptr) co_return;  // ended() told everyone
    if (!entrance) {
        client->refuse_enter(entrance.error());
        co_return;
    }
    prove(*client);
    client->play(attached, *entrance);
}

/// The client went away while it was attached.
void Gateway::give_up(PlayerId player, const session::Attached& attached) {
    bus_.publish(Role::center, session::Detached{player, attached.epoch});
    bus_.send(attached.game, session::LeaveGame{player, attached.epoch, false});
}

void Gateway::prove(Client& client) {
    if (client.prove()) door_.prove(counted_address(client));
}

std::string Gateway::counted_address(const Client& client) {
    return client.is_behind_proxy() ? std::string{} : client.address();
}

void Gateway::on_admitted(const session::Admitted& note, RoleAddress center) {
    auto waiting = waiting_.take(center, note.ticket);
    if (!waiting) {
        bus_.send(center, session::QueueLeft{note.ticket});
        return;
    }
    auto* client = find(waiting->client);
    if (client == nullptr) return;  // ended() has told the center
    client->leave_queue();
    tasks_.spawn(enter_task(waiting->client, waiting->player, std::move(waiting->claim), note.ticket),
                 "enter from the queue");
}

void Gateway::leave_queue(Client& client) {
    if (waiting_.leave(client)) bus_.send(client.queue(), session::QueueLeft{client.ticket()});
}

}  // namespace gs::gateway
