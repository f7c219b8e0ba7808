#pragma once
// The gateway: holds the clients' connections, verifies tokens without asking anyone, relays each player's messages to
// the game that owns the player, and fans out pushes to one, many, a channel or all.
#include <deque>
#include <map>
#include <memory>

#include "api/crypto.hpp"
#include "api/role.hpp"
#include "api/secure.hpp"
#include "api/session.hpp"
#include "api/tls_files.hpp"
#include "roles/gateway/bans.hpp"
#include "roles/gateway/client.hpp"
#include "roles/gateway/door.hpp"
#include "roles/gateway/fanout.hpp"
#include "roles/gateway/queue_budget.hpp"
#include "roles/gateway/settings.hpp"
#include "roles/gateway/waiting_room.hpp"

namespace gs::gateway {

class Gateway final : public Actor {
public:
    explicit Gateway(RoleContext& context);

    runtime::Task<> start() override;
    runtime::Task<> stop() override;

    // --- for its clients
    [[nodiscard]] const GatewaySettings& settings() const { return settings_; }
    [[nodiscard]] GatewayCounters& count() { return counters_; }
    /// Seconds since the gateway began, plus one; moved by a timer, not by a clock read for each message.
    [[nodiscard]] std::uint32_t second() const { return second_; }
    [[nodiscard]] runtime::Time now() const { return loop_.now(); }
    [[nodiscard]] runtime::Loop& loop() { return loop_; }
    /// Null: TLS is not spoken.
    [[nodiscard]] transport::TlsCertificate* tls_certificate() { return tls_.current(); }
    [[nodiscard]] Door& door() { return door_; }
    /// For one message at a time.
    [[nodiscard]] Buffer& unsealed() { return unsealed_; }
    [[nodiscard]] std::uint64_t wall_ms() const;
    [[nodiscard]] std::uint64_t monotonic_us() const;
    /// Null: it is gone.
    [[nodiscard]] Client* find(std::uint64_t client_id);
    /// Answers a hello, on another thread since that takes long; then Client::end_handshake. When the settings say that
    /// clients' connections are encrypted.
    void shake_hands(Client& client, BytesView hello, wire::ServerHello answer);
    void enter(Client& client, wire::Enter claim);
    /// Its balancer tells whose connection it is.
    void set_address(Client& client, const std::string& address);
    [[nodiscard]] bool to_game(Client& client, BytesView frames);
    /// The client's connection has ended or is about to.
    void ended(Client& client, std::string_view why);
    /// What waits for a client, at its tick.
    void note_queued(const Client& client) { queue_budget_.note(client.id(), client.queued_bytes()); }
    void send_kept_states_soon(const Client& client);
    /// Ends a connection at the end of this turn, from a place where clients are iterated.
    void end_later(Client& client, std::string_view why);

private:
    /// A hello that waits for its handshake.
    struct Greeting {
        std::uint64_t client = 0;
        Binary hello;
        wire::ServerHello answer;
    };
    static constexpr auto enter_deadline = std::chrono::seconds{10};  // of a game, to load a player

    void accept(std::shared_ptr<transport::Connection> connection);
    /// Nobody may be accepted now.
    [[nodiscard]] bool is_out_of_memory();
    runtime::Task<> return_memory();
    void shake_next_hands();
    runtime::Task<> handshake_task(Greeting greeting);
    [[nodiscard]] Result<PlayerId> player_of(const wire::Enter& claim);
    /// `ticket`: with which the client was let in from the queue, or 0.
    runtime::Task<> enter_task(std::uint64_t client_id, PlayerId player, wire::Enter claim, std::uint64_t ticket);
    runtime::Task<> join_game(std::uint64_t client_id, PlayerId player, wire::Enter claim, session::Attached attached);
    void give_up(PlayerId player, const session::Attached& attached);
    /// It has shown that it may come in, or is gone.
    void prove(Client& client);
    void turn_away(Client& client, std::string_view why);
    [[nodiscard]] static std::string counted_address(const Client& client);
    [[nodiscard]] Client* playing(PlayerId player, ConnectionEpoch epoch);
    void kick(const session::Kick& kick);
    void on_ban(const session::BanChanged& note);
    void close_banned();
    void on_admitted(const session::Admitted& note, RoleAddress center);
    void leave_queue(Client& client);
    Done hold_client(const session::HoldClient& request);
    void switch_client(const session::SwitchClient& note);
    runtime::Task<> enter_next_game(std::uint64_t client_id, session::EnterGame enter);
    void channel_member(const session::ChannelMember& note);
    void on_instance(const cluster::Instance& instance, bool up);
    session::HeldPlayers held_players() const;
    void tick();
    void tick_due();
    void tick_clients(std::size_t count);
    void keep_queue_budget();
    void report();
    /// Errors: there is no key, or it cannot be read.
    void load_key();
    void load_certificate();
    /// Errors: there is no certificate that is good now.
    void load_own_identity();
    [[nodiscard]] std::int64_t unix_seconds() const { return static_cast<std::int64_t>(wall_ms() / 1000); }

    runtime::Loop& loop_;
    cluster::RoleBus bus_;
    transport::Transport& transport_;
    GatewaySettings settings_;
    GatewayCounters counters_;
    TokenVerifier verifier_;
    TlsFiles tls_;
    std::optional<OwnIdentity> identity_;  // when it encrypts
    Gauge& identity_expires_;
    std::unique_ptr<transport::Listener> listener_;
    HashMap<std::uint64_t, std::unique_ptr<Client>> clients_;
    Players players_;
    Fanout fanout_{settings_};
    QueueBudget queue_budget_{settings_};
    Buffer unsealed_;
    Door door_{settings_};
    WaitingRoom waiting_{*this};
    Bans bans_;
    std::vector<std::uint64_t> due_;  // clients who have not been looked at in this second
    std::size_t due_in_all_ = 0;
    runtime::Time due_since_{};
    std::uint64_t next_client_ = 1;
    std::uint32_t second_ = 1;
    std::filesystem::path data_directory_;
    std::string node_;
    bool development_, stopping_ = false;
    std::function<std::uint32_t()> memory_percent_;
    std::function<std::string()> memory_text_;
    runtime::BlockingPool& pool_;
    bool memory_is_short_ = false;
    runtime::Timers timers_;
    std::deque<Greeting> greetings_;
    bool shakes_hands_ = false;
    runtime::BlockingPool handshakes_;  // one at a time
    runtime::Tasks tasks_;
};

}  // namespace gs::gateway
