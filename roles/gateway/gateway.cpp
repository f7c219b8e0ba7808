#include "roles/gateway/gateway.hpp"

#include <algorithm>

namespace gs::gateway {

namespace {
constexpr std::uint32_t certificate_check_seconds = 5;
constexpr auto slice_pause = std::chrono::milliseconds{4};
constexpr auto all_ticked_within = std::chrono::milliseconds{800};
constexpr std::size_t ticked_at_once_min = 16;
constexpr int spare_files = 64;
constexpr std::uint32_t memory_return_seconds = 5;
constexpr std::uint32_t memory_margin = 2;  // percent below the most at which there is enough again
}  // namespace

Gateway::Gateway(RoleContext& context)
    : loop_{context.loop},
      bus_{context.bus},
      transport_{context.transport},
      settings_{context.settings, context.development},
      counters_{context.metrics},
      verifier_{settings_.zone},
      tls_{context.metrics, Role::gateway},
      identity_expires_{context.metrics.gauge(
          "gameserver_gateway_noise_certificate_expires_seconds",
          "when the certificate of the native protocol's encryption ends, in seconds since 1970; 0: there is none")},
      data_directory_{context.data_directory},
      node_{context.node},
      development_{context.development},
      memory_percent_{context.memory_percent},
      memory_text_{context.memory_text},
      pool_{context.pool},
      timers_{context.loop},
      handshakes_{{context.threads ? 1U : 0U, 1}} {
    bus_.on_raw(session::relay_to_client, [this](const cluster::Envelope& envelope) {
        auto* client = playing(PlayerId{envelope.subject}, ConnectionEpoch{envelope.generation});
        client == nullptr ? counters_.gone.add() : client->send_frames(envelope.body);
    });
    bus_.on_refused([this](const cluster::Envelope& envelope) {
        if (envelope.command != session::relay_from_client) return;
        auto* client = playing(PlayerId{envelope.subject}, ConnectionEpoch{envelope.generation});
        if (client != nullptr) client->close_unreachable();
    });
    bus_.on_raw(session::relay_to_all,
                [this](const cluster::Envelope& envelope) { fanout_.to_all(players_, envelope.body); });
    bus_.on_raw(session::relay_to_players, [this](const cluster::Envelope& envelope) {
        fanout_.to_players(players_, envelope.from, envelope.body);
    });
    bus_.on_raw(session::relay_to_channel,
                [this](const cluster::Envelope& envelope) { fanout_.to_channel(envelope.body); });
    bus_.on<session::HoldClient>(
        [this](const cluster::Envelope&, const session::HoldClient& request) { return hold_client(request); });
    bus_.on<session::ReleaseClient>([this](const cluster::Envelope&, const session::ReleaseClient& note) {
        if (auto* client = playing(note.player, note.epoch)) client->release();
    });
    bus_.on<session::SwitchClient>(
        [this](const cluster::Envelope&, const session::SwitchClient& note) { switch_client(note); });
    bus_.on<session::Kick>([this](const cluster::Envelope&, const session::Kick& note) { kick(note); });
    bus_.on<session::BansRead>([this](const cluster::Envelope&, const session::BansRead& note) {
        for (const auto& ban : note.bans) bans_.note(ban, second_);
        close_banned();
    });
    bus_.on<session::BanChanged>([this](const cluster::Envelope&, const session::BanChanged& note) { on_ban(note); });
    bus_.on<session::QueueMoved>([this](const cluster::Envelope& envelope, const session::QueueMoved& note) {
        waiting_.moved(note, envelope.from);
    });
    bus_.on<session::Admitted>(
        [this](const cluster::Envelope& envelope, const session::Admitted& note) { on_admitted(note, envelope.from); });
    bus_.on<session::ChannelMember>(
        [this](const cluster::Envelope&, const session::ChannelMember& note) { channel_member(note); });
    bus_.on<session::ListPlayers>(
        [this](const cluster::Envelope&, const session::ListPlayers&) { return held_players(); });
    bus_.watch([this](const cluster::Instance& instance, bool up) { on_instance(instance, up); });
}

std::uint64_t Gateway::wall_ms() const {
    const auto since = loop_.wall_now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

std::uint64_t Gateway::monotonic_us() const {
    const auto since = loop_.now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

void Gateway::load_key() {
    const auto file = in_directory(data_directory_, settings_.public_key_file);
    auto key = load_public_key(file);
    if (!key) {
        throw Error{Code::invalid,
                    "the gateway cannot verify tokens: {}. Make the keys with: gameserver keygen --out {}",
                    key.error().message(), file.parent_path().string()};
    }
    verifier_.add_key(*key);
}

void Gateway::load_certificate() {
    if (settings_.certificate_file.empty()) return;
    const auto loaded = tls_.load(in_directory(data_directory_, settings_.certificate_file),
                                  in_directory(data_directory_, settings_.key_file));
    if (!loaded) throw Error{Code::invalid, "gateway.tls: {}", loaded.error().message()};
}

void Gateway::load_own_identity() {
    if (!settings_.encrypted) return;
    IdentityFiles files;
    files.key = in_directory(data_directory_, settings_.noise_key_file);
    files.certificate = in_directory(data_directory_, settings_.noise_certificate_file);
    if (development_) files.zone_key = data_directory_ / "zone.key";
    const IdentityOwner owner{CertificateKind::gateway, node_, {"gateway"}, settings_.zone, {}};
    identity_.emplace(std::move(files), owner, identity_expires_);
    identity_->load(unix_seconds()).value();
}

runtime::Task<> Gateway::start() {
    load_key();
    load_certificate();
    load_own_identity();
    auto options = settings_.listen;
    options.spare_files = spare_files;
    options.objection = [this] {
        return is_out_of_memory()
                   ? fmt::format("{}; gateway.memory_percent_max is {}", memory_text_(), settings_.memory_percent_max)
                   : std::string{};
    };
    options.unsent_bytes_max =
        static_cast<int>(settings_.queue_bytes_soft);  // else a slow reader is seen much too late
    auto listener =
        transport_.listen(loop_, settings_.address, options,
                          [this](std::shared_ptr<transport::Connection> connection) { accept(std::move(connection)); });
    if (!listener) throw Error{listener.error().code(), "gateway.tcp.address: {}", listener.error().message()};
    listener_ = std::move(*listener);
    if (settings_.advertise.empty()) settings_.advertise = listener_->address();
    if (settings_.websocket_advertise.empty() && tls_.current() != nullptr) {
        settings_.websocket_advertise = fmt::format("wss://{}/", settings_.advertise);
    } else if (settings_.websocket_advertise.empty() && !settings_.encrypted) {
        settings_.websocket_advertise = fmt::format("ws://{}/", settings_.advertise);
    }
    log::info("gateway listens on {} ({})", listener_->address(), settings_.encrypted ? "encrypted" : "not encrypted");
    timers_.every("tick", std::chrono::seconds{1}, [this] { tick(); });
    co_await bus_.wait_for(Role::center);
    co_await bus_.wait_for(Role::game);
    report();
}

bool Gateway::is_out_of_memory() {
    const auto most = settings_.memory_percent_max;
    if (most >= 100 || !memory_percent_) return false;
    memory_is_short_ = memory_percent_() >= most - (memory_is_short_ ? memory_margin : 0);
    return memory_is_short_;
}

/// What clients who have left had is kept by the allocator: it is given back, else memory would be short for ever.
runtime::Task<> Gateway::return_memory() {
    auto returning = pool_.run(loop_, runtime::give_back_free_memory);
    const auto returned = co_await std::move(returning);
    if (!returned) log::warn("free memory is not given back: {}", returned.error().message());
}

runtime::Task<> Gateway::stop() {
    stopping_ = true;
    timers_.cancel_all();
    listener_.reset();
    bus_.announce(false, 0, settings_.advertise, {}, settings_.websocket_advertise);
    std::vector<std::uint64_t> all;
    for (const auto& [id, client] : clients_) all.push_back(id);
    std::sort(all.begin(), all.end());
    for (const auto id : all) {
        if (auto* client = find(id)) client->close(Code::unavailable, "the server is stopping", true);
    }
    co_await runtime::sleep(loop_, std::chrono::milliseconds{1});
}

void Gateway::report() {
    counters_.connections.set(static_cast<std::int64_t>(clients_.size()));
    counters_.playing.set(static_cast<std::int64_t>(players_.size()));
    counters_.handshakes_waiting.set(static_cast<std::int64_t>(greetings_.size()));
    if (listener_ != nullptr) counters_.accept_pauses.add(listener_->pauses() - counters_.accept_pauses.value());
    const bool ready = !stopping_ && !bus_.ready(Role::center).empty() && !bus_.ready(Role::game).empty();
    bus_.announce(ready, static_cast<std::uint32_t>(players_.size()), settings_.advertise,
                  is_out_of_memory() ? "accepts nobody, as memory runs out" : "", settings_.websocket_advertise);
}

void Gateway::tick() {
    ++second_;
    door_.tick();
    report();
    if (memory_is_short_ && second_ % memory_return_seconds == 0) tasks_.spawn(return_memory(), "return memory");
    bans_.forget_old(second_);
    if (second_ % certificate_check_seconds == 0) {
        tls_.reload_changed();
        if (identity_) identity_->reload_changed(unix_seconds());
    }
    timers_.cancel("tick more");
    tick_clients(due_.size());  // those who are left of the last second
    keep_queue_budget();
    for (const auto& [id, client] : clients_) due_.push_back(id);
    due_in_all_ = due_.size();
    due_since_ = loop_.now();
    tick_due();
}

/// Clients are looked at in slices, spread over the second: else all heartbeats would leave together, and who is late
/// would be told together, and whoever asks something then would wait for them.
void Gateway::tick_due() {
    const auto done = due_in_all_ - due_.size();
    const auto share = std::min(1.0, std::chrono::duration<double>{loop_.now() - due_since_} / all_ticked_within);
    const auto by_now = static_cast<std::size_t>(static_cast<double>(due_in_all_) * share);
    tick_clients(std::max(ticked_at_once_min, by_now - std::min(done, by_now)));
    if (!due_.empty()) timers_.after("tick more", slice_pause, [this] { tick_due(); });
}

void Gateway::tick_clients(std::size_t count) {
    for (; count > 0 && !due_.empty(); --count) {
        auto* client = find(due_.back());
        due_.pop_back();
        if (client != nullptr) client->tick(second_);
    }
}

void Gateway::keep_queue_budget() {
    counters_.queued_bytes.set(static_cast<std::int64_t>(queue_budget_.sum()));
    for (const auto& [bytes, id] : queue_budget_.take_excess()) {
        auto* client = find(id);
        if (client == nullptr || client->queued_bytes() < bytes / 2) continue;  // it has read since
        counters_.slow_readers.add();
        client->close(Code::busy, "too much waits for the clients of this gateway, and most for this one", true);
    }
}

void Gateway::send_kept_states_soon(const Client& client) {
    loop_.post([this, id = client.id()] {
        if (auto* behind = find(id)) behind->send_kept_states();
    });
}

Client* Gateway::find(std::uint64_t client_id) {
    const auto place = clients_.find(client_id);
    return place == clients_.end() ? nullptr : place->second.get();
}

Client* Gateway::playing(PlayerId player, ConnectionEpoch epoch) {
    const auto place = players_.find(player);
    if (place == players_.end()) return nullptr;
    return place->second->epoch() == epoch || planted(PlantedBug::stale_push) ? place->second : nullptr;
}

bool Gateway::to_game(Client& client, BytesView frames) {
    return bus_.send_raw(client.game(), session::relay_from_client, static_cast<std::uint64_t>(client.player()),
                         static_cast<std::uint64_t>(client.epoch()), frames);
}

void Gateway::end_later(Client& client, std::string_view why) {
    loop_.post([this, id = client.id(), reason = std::string{why}] {
        if (auto* slow = find(id)) slow->close(Code::busy, reason, true);
    });
}

void Gateway::ended(Client& client, std::string_view why) {
    log::debug("client {} of player {} ended: {}", client.address(), client.player(), why);
    const auto place = clients_.find(client.id());
    if (place == clients_.end()) return;
    prove(client);
    door_.go(counted_address(client));
    leave_queue(client);
    if (client.is_attached()) {
        const auto player = client.player();
        bus_.send(client.game(), session::LeaveGame{player, client.epoch(), client.has_left()});
        bus_.publish(Role::center, session::Detached{player, client.epoch()});
        if (!client.channels().empty()) {
            fanout_.forget(client);
            bus_.publish(Role::center,
                         session::ChannelsLeft{player, {client.channels().begin(), client.channels().end()}});
        }
        const auto known = players_.find(player);
        if (known != players_.end() && known->second == &client) players_.erase(known);
    }
    // Whoever ends it may stand on its frame; it leaves the table now and memory after the turn.
    auto owned = std::shared_ptr<Client>{std::move(place.value())};
    clients_.erase(place);
    loop_.post([owned = std::move(owned)] {});
}

void Gateway::kick(const session::Kick& kick) {
    auto* client = playing(kick.player, kick.epoch);
    if (client == nullptr) return;
    if (kick.ends_session) client->end_session();
    client->close(kick.code, kick.reason, kick.reconnect);
}

void Gateway::on_ban(const session::BanChanged& note) {
    if (note.lifted) {
        bans_.lift(note.ban);
    } else {
        bans_.note(note.ban, second_);
        close_banned();
    }
}

void Gateway::close_banned() {
    std::vector<std::pair<std::uint64_t, const session::Ban*>> banned;
    for (const auto& [id, client] : clients_) {
        if (const auto* ban = bans_.of(*client)) banned.emplace_back(id, ban);
    }
    std::sort(banned.begin(), banned.end());
    for (const auto& [id, ban] : banned) {
        auto* client = find(id);
        if (client == nullptr) continue;
        counters_.banned.add();
        client->end_session();
        client->close(Code::forbidden, session::ban_text(*ban), false);
    }
}

Done Gateway::hold_client(const session::HoldClient& request) {
    auto* client = playing(request.player, request.epoch);
    if (client == nullptr || client->state() != Client::State::playing) {
        throw Error{Code::not_found, "player {} has no such connection here", request.player};
    }
    client->hold();
    return {};
}

void Gateway::switch_client(const session::SwitchClient& note) {
    auto* client = playing(note.player, note.epoch);
    if (client == nullptr) return;  // it resumes, or the game gives it up in time
    client->switch_to(note.game);
    session::EnterGame enter;
    enter.player = note.player;
    enter.epoch = note.epoch;
    enter.session = client->session();
    enter.resume = true;
    enter.received = note.sent;
    tasks_.spawn(enter_next_game(client->id(), enter), "enter the next game");
}

runtime::Task<> Gateway::enter_next_game(std::uint64_t client_id, session::EnterGame enter) {
    auto entrance = co_await bus_.call(find(client_id)->game(), enter, enter_deadline);
    auto* client = find(client_id);
    if (client == nullptr) co_return;  // ended() told everyone
    if (!entrance || entrance->state != wire::SessionState::resumed) {
        // It resumes, and is told what it has missed.
        client->close(Code::unavailable, "the game server of this player was lost; connect again", true);
        co_return;
    }
    client->go_on(*entrance);
}

void Gateway::channel_member(const session::ChannelMember& note) {
    const auto place = players_.find(note.player);
    auto* client = place == players_.end() ? nullptr : place->second;
    if (!note.member) {
        fanout_.leave(note.channel, note.player, client);
    } else if (client == nullptr || client->epoch() != note.epoch) {
        bus_.publish(Role::center, session::ChannelsLeft{note.player, {note.channel}});
    } else {
        fanout_.join(note.channel, *client);
    }
}

void Gateway::on_instance(const cluster::Instance& instance, bool up) {
    // One that is there and not ready stops or is drained: it tells its clients itself.
    if (!up && instance.address.role == Role::game && bus_.bus().find(instance.address) == nullptr) {
        std::vector<std::uint64_t> lost;
        for (const auto& [player, client] : players_) {
            if (client->game() == instance.address) lost.push_back(client->id());
        }
        std::sort(lost.begin(), lost.end());
        for (const auto id : lost) {
            if (auto* client = find(id))
                client->close(Code::unavailable, "the game server was lost; connect again", true);
        }
    }
    if (!up && instance.address.role == Role::center && bus_.bus().find(instance.address) == nullptr)
        waiting_.lose(instance.address);
    if (listener_ != nullptr && (instance.address.role == Role::center || instance.address.role == Role::game))
        report();
}

session::HeldPlayers Gateway::held_players() const {
    session::HeldPlayers held;
    for (const auto& [player, client] : players_) {
        held.players.push_back({player,
                                client->epoch(),
                                client->game(),
                                {client->channels().begin(), client->channels().end()},
                                client->session()});
    }
    std::sort(held.players.begin(), held.players.end(),
              [](const auto& one, const auto& other) { return one.player < other.player; });
    return held;
}

}  // namespace gs::gateway

GS_ROLE(gateway, gateway::Gateway)
