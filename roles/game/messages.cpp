// The life of a client's message, and what goes back.
#include "roles/game/game.hpp"

namespace gs::game {

namespace {
constexpr std::size_t outgoing_bytes_max = 64 * 1024;  // more do not wait for each other
}

void Game::on_client(const cluster::Envelope& envelope) {
    auto* player = players_.find(PlayerId{envelope.subject});
    if (player == nullptr || !player->is_online() || player->connection() != ConnectionEpoch{envelope.generation}) {
        gone_.add();
        // Nothing would ever answer that client: its gateway missed that the connection is over.
        const bool newer = player != nullptr && player->is_online();
        bus_.send(envelope.from,
                  session::Kick{PlayerId{envelope.subject}, ConnectionEpoch{envelope.generation}, Code::fenced,
                                newer ? "this account logged in somewhere else"
                                      : "the game server does not hold this player; connect again",
                                !newer});
        return;
    }
    outgoing_.gathering = true;
    for (auto frames = envelope.body; !frames.empty();) {
        const auto cut = wire::cut_frame(frames, frames.size());
        if (cut.status != wire::FrameCut::Status::frame) break;
        frames = frames.subspan(cut.consumed());
        if (!on_message(*player, cut.payload)) break;
    }
    outgoing_.gathering = false;
    flush_outgoing();
}

bool Game::on_message(Player& player, BytesView raw) {
    const auto message = wire::parse_message(raw);
    if (message.fault != nullptr) return true;
    auto& stream = player.stream();
    if (message.header.kind == wire::Kind::control) {
        const auto ack = msgpack::decode<wire::Ack>(message.body);
        if (ack) stream.acknowledge(ack->received);
        return true;
    }
    if (message.header.kind != wire::Kind::request) return true;
    stream.acknowledge(message.header.session);
    switch (stream.arrive(message.header.request_id)) {
        case session::Stream::Arrival::duplicate:
            repeated_.add();
            if (planted(PlantedBug::run_again)) on_request(player, message);
            return true;
        case session::Stream::Arrival::hole: {
            const auto why = fmt::format("request {} came where {} was due; request ids rise by one through a session",
                                         message.header.request_id, stream.received() + 1);
            cut_off(player.id(), player.gateway(), player.connection(), why);
            return false;
        }
        case session::Stream::Arrival::next:
            on_request(player, message);
    }
    return true;
}

void Game::on_request(Player& player, const wire::MessageView& message) {
    auto& stream = player.stream();
    const auto session = stream.session();
    if (player.mailbox().try_begin()) {
        begin_message(player, session, message);
    } else if (player.mailbox().full()) {
        const bool is_filler = message.header.command == 0;
        if (!is_filler) refused_busy_.add();
        if (!stream.refuse(message.header.request_id)) {
            cut_off(player.id(), player.gateway(), player.connection(), "far too many requests wait");
            return;
        }
        if (is_filler) return;
        send_error(player, {message.header, session},
                   {Code::busy, "{} requests of this player wait already", entity::Mailbox::waiting_max});
    } else {
        Buffer kept;
        kept.append(message.raw);
        player.mailbox().wait([this, &player, session, kept = std::move(kept)] {
            begin_message(player, session, wire::parse_message(kept));
        });
    }
}

void Game::begin_message(Player& player, std::uint64_t session, const wire::MessageView& message) {
    Running running{message.header, session, nullptr, begin_time()};
    const auto number = message.header.command;
    if (!player.is_loaded()) {  // lost to a newer owner while this waited; the last one that waited drops the player
        drop(player);
        return;
    }
    if (number == 0) {  // fills a place: the client has given that request up
        skip_message(player, running);
        return;
    }
    if (message.header.error) {  // refused by the gateway
        send_reply(player, running, true, message.body);
        skip_message(player, running);
        return;
    }
    if (number >= commands_.size() || commands_[number] == nullptr) {
        send_error(player, running, {Code::unknown_command, "no module of this server handles command {}", number});
        skip_message(player, running);
        return;
    }
    running.command = commands_[number].get();
    running.header.secret = running.command->handler->reply_type.secret;
    if (call_log_.wants(player.id(), running.command->module)) {
        log::info("call {} of player {}: {}", running.command->handler->name, player.id(),
                  dump(running.command->handler->request_type, message.body, 200));
    }
    auto& turn = player.turn_in_progress().emplace(player);
    const runtime::ContextScope scope{&turn};
    run_plain(player, running, message.body);
}

void Game::run_plain(Player& player, const Running& running, BytesView body) {
    auto& handler = *running.command->handler;
    Buffer reply;
    try {
        if (running.command->waits()) {
            auto kept = std::make_unique<Buffer>();
            auto task = begin_handler(player, *running.command, body, *kept);
            tasks_.spawn(run_coroutine(player, running, std::move(task), std::move(kept)), handler.name.data());
            return;
        }
        // Taken for the length of this message: what it wakes may run another plain handler inside it.
        reply = std::exchange(reply_, Buffer{});
        reply.clear();
        handler.run(player, body, reply);
    } catch (const Error& error) {
        fail_message(player, running, error);
        return;
    } catch (const std::exception& error) {
        log::error("handler {} of module {} failed for player {}: {}", handler.name, running.command->module,
                   player.id(), error.what());
        fail_message(player, running, {Code::internal, "the server failed to handle {}", handler.name});
        return;
    }
    end_message(player, running, reply);
    reply_ = std::move(reply);
}

Task<> Game::begin_handler(Player& player, const BoundCommand& command, BytesView body, Buffer& reply) {
    if (command.group.empty()) return command.handler->start(player, body, reply);
    return services_.ask(command.group, player.id(), command.handler->command, {body.begin(), body.end()}, reply);
}

Task<session::Served> Game::serve(session::Serve request) {
    const auto* command = request.command < commands_.size() ? commands_[request.command].get() : nullptr;
    if (command == nullptr || !command->handler->is_service) {
        throw Error{Code::unknown_command,
                    "command {} is no service of this group of games; do all nodes run the same "
                    "version?",
                    request.command};
    }
    if (!ready_ && !stopping_) throw Error{Code::unavailable, "this game server is starting"};
    const auto began = loop_.now();
    ++serving_;
    Buffer reply;
    Error failure{Code::ok, ""};
    try {
        co_await answer(*command, request.player, request.request, reply);
    } catch (const std::exception& error) {
        failure = cluster::error_of_handler(error, command->handler->name);
    }
    --serving_;
    command->service_seconds->observe(loop_.now() - began);
    if (failure.code() != Code::ok) throw Error{failure};
    session::Served served;
    served.reply.assign(reply.view().begin(), reply.view().end());
    co_return std::move(served);
}

Task<> Game::answer(const BoundCommand& command, PlayerId player, BytesView body, Buffer& reply) {
    const auto began = loop_.now();
    auto handled = command.handler->serve(player, body, reply);
    if (!command.handler->is_coroutine) warn_if_slow(player, command, loop_.now() - began);
    return handled;
}

void Game::warn_if_slow(PlayerId player, const BoundCommand& command, runtime::Duration took) {
    if (took <= settings_.slow_handler) return;
    slow_.add();
    log::warn("handler {} of module {} kept the loop for {} ms (player {})", command.handler->name, command.module,
              std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), player);
}

Task<> Game::run_coroutine(Player& player, Running running, Task<> handler, std::unique_ptr<Buffer> reply) {
    Error failure{Code::ok, ""};
    try {
        co_await std::move(handler);
    } catch (const Error& error) {
        failure = error;
    } catch (const std::exception& error) {
        log::error("handler {} of module {} failed for player {}: {}", running.command->handler->name,
                   running.command->module, player.id(), error.what());
        failure = Error{Code::internal, "the server failed to handle {}", running.command->handler->name};
    }
    if (failure.code() != Code::ok) {
        fail_message(player, running, failure);
    } else {
        end_message(player, running, *reply);
    }
}

void Game::end_message(Player& player, const Running& running, Buffer& reply) {
    auto& turn = *player.turn_in_progress();
    if (turn.needs_commit()) {
        if (!running.command->waits()) warn_if_slow(player.id(), *running.command, loop_.now() - running.began);
        auto held = std::make_unique<Buffer>();
        held->append(reply);
        tasks_.spawn(commit_message(player, running, std::move(held)), "commit");
        return;
    }
    turn.keep(false);
    send_reply(player, running, false, reply);
    const auto took = finish_turn(player, running);
    if (!running.command->waits()) warn_if_slow(player.id(), *running.command, took);
}

Task<> Game::commit_message(Player& player, Running running, std::unique_ptr<Buffer> reply) {
    auto& turn = *player.turn_in_progress();
    if (planted(PlantedBug::early_reply)) send_reply(player, running, false, *reply);
    player.set_held_reply(running.session == player.stream().session() ? &running.header : nullptr, *reply);
    auto change = turn.commit();
    player.set_held_reply(nullptr, {});
    if (planted(PlantedBug::half_trade)) change.entities.resize(1);
    auto outcome = co_await persistence_.commit(std::move(change));
    if (!outcome) {
        fail_message(player, running, outcome.error());
        co_return;
    }
    if (*outcome == storage::Outcome::fenced && turn.has_partners()) {
        // It may be the other one who is fenced; then nothing was done, else storage would have said dup.
        auto done = co_await partners_.was_done(player);
        if (done && !*done) {
            fail_message(player, running, {Code::conflict, "the other player is not there any more; try again"});
            co_return;
        }
        turn.leave_partners();
    }
    switch (*outcome) {
        case storage::Outcome::ok:
        case storage::Outcome::dup:
            break;
        case storage::Outcome::conflict:
            fail_message(player, running, {Code::conflict, "it was taken by another player a moment ago"});
            co_return;
        case storage::Outcome::fenced:
            drop_fenced(player);
            co_return;
    }
    turn.keep(true);
    if (!planted(PlantedBug::early_reply)) send_reply(player, running, false, *reply);
    finish_turn(player, running);
}

void Game::fail_message(Player& player, const Running& running, const Error& error) {
    failed_.add();
    planted(PlantedBug::forgotten_undo) ? player.turn_in_progress()->keep(false) : player.turn_in_progress()->undo();
    send_error(player, running, error);
    finish_turn(player, running);
}

runtime::Time Game::begin_time() const {
    // In the same delivery (requests that came together) or in the next one: nothing ran between.
    const bool follows = ended_turn_ == loop_.turns() && bus_.bus().delivery() - ended_delivery_ <= 1;
    return follows ? ended_ : loop_.now();
}

runtime::Duration Game::finish_turn(Player& player, const Running& running) {
    ended_ = loop_.now();
    ended_turn_ = loop_.turns();
    ended_delivery_ = bus_.bus().delivery();
    const auto took = ended_ - running.began;
    running.command->seconds->observe(took);
    if (call_log_.wants(player.id(), running.command->module)) {
        log::info("done {} of player {} in {} us", running.command->handler->name, player.id(),
                  std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    }
    player.turn_in_progress().reset();
    skip_message(player, running);
    return took;
}

void Game::skip_message(Player& player, const Running& running) {
    if (player.stream().session() == running.session) player.stream().done(running.header.request_id);
    player.mailbox().done();
}

void Game::send_reply(Player& player, const Running& running, bool error, BytesView body) {
    auto& stream = player.stream();
    if (stream.session() != running.session) return;
    const auto& request = running.header;
    wire::Header header{wire::Kind::reply, error, request.command, request.request_id};
    header.secret = !error && request.secret;
    send_frame(player, stream.add(header, body));
}

void Game::send_error(Player& player, const Running& running, const Error& error) {
    send_reply(player, running, true, msgpack::encode(wire::ErrorBody{error.code(), error.message()}));
}

void Game::push(Player& player, BytesView message) {
    const auto push = wire::parse_message(message);
    if (!push.header.state) {
        send_frame(player, player.stream().add(push.header, push.body));
    } else if (player.is_attached()) {
        Buffer frame;
        const auto begin = wire::begin_frame(frame);
        frame.append(message);
        wire::finish_frame(frame, begin);
        send_frame(player, frame);
    }
}

void Game::send_frame(Player& player, BytesView frame) {
    if (!player.is_attached()) return;
    auto& out = outgoing_;
    if (out.player != player.id() || out.connection != player.connection()) {
        flush_outgoing();
        out.player = player.id();
        out.gateway = player.gateway();
        out.connection = player.connection();
    }
    out.frames.append(frame);
    if (planted(PlantedBug::ring_in_gateway)) player.stream().acknowledge(player.stream().next());
    if (!out.gathering || out.frames.size() > outgoing_bytes_max) flush_outgoing();
}

void Game::flush_outgoing() {
    auto& out = outgoing_;
    if (out.frames.empty()) return;
    const bool sent = bus_.send_raw(out.gateway, session::relay_to_client, static_cast<std::uint64_t>(out.player),
                                    static_cast<std::uint64_t>(out.connection), out.frames);
    out.frames.clear();
    if (out.frames.capacity() > 2 * outgoing_bytes_max) out.frames.release();
    if (!sent) cut_off(out.player, out.gateway, out.connection, "the gateway is not reachable right now");
}

void Game::cut_off(PlayerId player, RoleAddress gateway, ConnectionEpoch connection, std::string_view why) {
    const session::Kick kick{player, connection, Code::unavailable, std::string{why}, true};
    bus_.send(gateway, kick);
    auto* cut = players_.find(player);
    if (cut == nullptr || cut->connection() != connection) return;
    cut->disconnect(loop_.now());
    // It may not arrive either: said again until the gateway says that the connection is over.
    cut_off_.insert_or_assign(player, std::pair{gateway, kick});
    if (settings_.resume.count() == 0) {  // later: its leave hooks push, and this may stand in the middle of a push
        loop_.post([this, player, connection] { on_leave(player, connection, true); });
    }
}

void Game::on_refused(const cluster::Envelope& envelope) {
    if (envelope.command != session::relay_to_client) return;
    const PlayerId id{envelope.subject};
    const ConnectionEpoch connection{envelope.generation};
    const auto* player = players_.find(id);
    if (player == nullptr || !player->is_online() || player->connection() != connection) return;
    cut_off(id, envelope.from, connection, "the gateway is not reachable right now");
}

}  // namespace gs::game
