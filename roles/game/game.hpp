#pragma once
// The game role: hosts player entities and runs the modules' handlers, one message of a player at a time.
// The life of a message: on_client -> begin_message -> handler -> end_message -> (commit) -> release.
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "api/module.hpp"
#include "api/role.hpp"
#include "api/storage.hpp"
#include "roles/game/channel_client.hpp"
#include "roles/game/partners.hpp"
#include "roles/game/players.hpp"

namespace gs::game {

struct GameSettings {
    explicit GameSettings(Settings settings);
    std::chrono::seconds save_period;
    std::chrono::milliseconds slow_handler;
    std::chrono::seconds resume;
    std::int64_t players_max;
    bool log_calls;
};

class Game final : public Actor, public ModuleHost {
public:
    static constexpr auto save_tick = std::chrono::milliseconds{500};
    static constexpr auto arrival_patience = std::chrono::seconds{8};
    static constexpr auto drain_tick = std::chrono::milliseconds{100};

    explicit Game(RoleContext& context);

    Task<> start() override;
    Task<> stop() override;

private:
    struct BoundCommand {
        std::unique_ptr<CommandHandler> handler;
        Histogram* seconds;
        std::string module;
    };
    /// What goes to one client, while the requests that came together are handled: it leaves together.
    struct Outgoing {
        PlayerId player{};
        RoleAddress gateway;
        ConnectionEpoch connection{};
        Buffer frames;
        bool gathering = false;
    };
    /// What end_message needs to know of a message that is in its turn.
    struct Running {
        wire::Header header;
        std::uint64_t session = 0;  ///< its reply belongs there, and is nobody's once the player has a newer one
        const BoundCommand* command = nullptr;
        runtime::Time began{};
    };

    // --- messages of clients
    void on_client(const cluster::Envelope& envelope);
    /// False when the client broke the rules of the session.
    bool on_message(Player& player, BytesView raw);
    void on_request(Player& player, const wire::MessageView& message);
    void begin_message(Player& player, std::uint64_t session, const wire::MessageView& message);
    void run_plain(Player& player, const Running& running, BytesView body);
    Task<> run_coroutine(Player& player, Running running, Task<> handler, std::unique_ptr<Buffer> reply);
    void end_message(Player& player, const Running& running, Buffer& reply);
    Task<> commit_message(Player& player, Running running, std::unique_ptr<Buffer> reply);
    void fail_message(Player& player, const Running& running, const Error& error);
    /// When the message begins: the clock is not read again right after another message has ended.
    [[nodiscard]] runtime::Time begin_time() const;
    /// Returns how long the message took from its beginning.
    runtime::Duration finish_turn(Player& player, const Running& running);
    /// Ends the turn of a request that no handler sees.
    void skip_message(Player& player, const Running& running);
    void warn_if_slow(const Player& player, const Running& running, runtime::Duration took);
    void send_reply(Player& player, const Running& running, bool error, BytesView body);
    void send_error(Player& player, const Running& running, const Error& error);
    /// What the player's stream has just numbered: to the client, if it is there; else it waits in the stream.
    void send_frame(Player& player, BytesView frame);
    /// Before anything else goes to clients, so that they see the order in which it was done.
    void flush_outgoing();
    /// The gateway cannot be told what the client must not miss: the connection ends, and the client resumes.
    void cut_off(PlayerId player, RoleAddress gateway, ConnectionEpoch connection, std::string_view why);
    /// The same, heard later from the loop that holds the links.
    void on_refused(const cluster::Envelope& envelope);

    // --- players
    Task<session::Entrance> enter(RoleAddress from, session::EnterGame request);
    Task<> load(Player& player);
    void require_not_handed_over(const session::EnterGame& request) const;
    [[nodiscard]] bool is_full_for(PlayerId player) const;
    /// What the client may resume, and what it has missed.
    session::Entrance take_up_session(Player& player, const session::EnterGame& request);
    void run_enter_hooks(Player& player);
    void run_leave_hooks(Player& player);
    void run_hook(Player& player, const std::function<void(Player&)>& hook);
    void on_leave(PlayerId player, ConnectionEpoch epoch, bool for_good);
    void start_leaving(Player& player);
    Task<> leave(Player& player);
    void end_stale_sessions();
    /// Makes this role the owner if it is not, and reads the player; true when it was the owner already. One that may
    /// be old (this role was paused or cut off meanwhile) is checked in storage first.
    Task<bool> own(Player& player, bool may_be_old);
    /// Others see the player once what its enter hooks changed is durable. Errors: unavailable: not the owner any more.
    Task<> settle(Player& player);
    enum class Saved : std::uint8_t { yes, refused, fenced };
    /// Saves what is unsaved, however long that takes. Inside a turn of the player.
    Task<Saved> save(Player& player, bool always);
    Task<Saved> save_last(Player& player);
    Task<Saved> save_confirmed(Player& player);
    Task<> save_in_background(Player& player);
    void drop_fenced(Player& player);
    /// Ends the turn of a player who is not played here (any more) and forgets them, unless somebody waits for a turn.
    void drop(Player& player);
    void report();
    void save_due();

    // --- hand-over
    session::Draining drain(const session::Drain& request);
    void drain_more();
    void hand_over_more();
    Task<> hand_over(PlayerId player);
    Task<> hand_over_held(Player& player, ConnectionEpoch connection, RoleAddress heir);
    /// Its turn ends here: it goes on as if nothing had been.
    void stay(Player& player, ConnectionEpoch connection);
    Task<> end_hand_over(Player& player, ConnectionEpoch connection, RoleAddress heir);
    Task<Result<Done>> move_at_center(session::MovePlayer request);
    Task<> tell_center(session::MovePlayer request);
    [[nodiscard]] std::optional<RoleAddress> choose_heir();
    Task<Done> take_over(RoleAddress from, session::TakeOver request);
    void on_handed_over(RoleAddress from, const session::HandedOver& note);
    Task<> forget_copy(PlayerId player);
    void lose_game(RoleAddress game);
    /// Those whom the other game says nothing more of.
    void end_stale_arrivals(runtime::Duration patience);
    /// A push for a player: to where the player is.
    void deliver(const cluster::Envelope& envelope);
    void push_here(Player& player, RoleAddress from, BytesView message);
    void number_push(Player& player, BytesView message);
    /// What came for the player before it was here.
    void push_early(Player& player);

    // --- ModuleHost
    void add_command(std::unique_ptr<CommandHandler> handler) override;
    void add_part(std::unique_ptr<PartHandler> part) override;
    void add_component(const entity::ComponentType& type) override { components_.push_back(&type); }
    void add_enter_hook(std::function<void(Player&)> hook) override { enter_hooks_.push_back(std::move(hook)); }
    void add_leave_hook(std::function<void(Player&)> hook) override { leave_hooks_.push_back(std::move(hook)); }
    Settings settings() override { return settings_tree_; }
    runtime::Loop& loop() override { return loop_; }
    Metrics& metrics() override { return metrics_; }
    void push_to(PlayerId player, BytesView message) override;
    void push_to_all(BytesView message) override;
    ChannelService& channels() override { return channels_; }
    Task<storage::Record> read_record(std::string space, std::string key) override;
    Task<std::optional<std::string>> read_component(PlayerId player, std::string name) override;
    Player* find(PlayerId player) override;
    Task<Binary> together(PlayerId other, Command part, Binary body) override {
        return partners_.together(other, part, std::move(body));
    }

    runtime::Loop& loop_;
    cluster::RoleBus bus_;
    Metrics& metrics_;
    Settings settings_tree_;
    GameSettings settings_;
    entity::Persistence persistence_;
    Players players_;
    ChannelClient channels_;
    Partners partners_;
    std::vector<std::unique_ptr<BoundCommand>> commands_;  // by number
    std::vector<const entity::ComponentType*> components_;
    std::vector<std::function<void(Player&)>> enter_hooks_, leave_hooks_;
    std::string loading_module_;
    std::vector<std::unique_ptr<ModuleContext>> contexts_;
    std::vector<std::unique_ptr<Module>> modules_;
    Buffer reply_;
    Outgoing outgoing_;
    // When the last message ended, in which turn, and which delivery of the bus it was.
    runtime::Time ended_{};
    std::uint64_t ended_turn_ = 0, ended_delivery_ = 0;
    bool ready_ = false, stopping_ = false, draining_ = false;
    std::uint32_t save_ticks_ = 0;
    std::set<PlayerId> save_late_;
    /// Gateways to tell again, each second, that a connection is over.
    std::map<PlayerId, std::pair<RoleAddress, session::Kick>> cut_off_;

    std::deque<PlayerId> to_hand_over_;
    std::set<PlayerId> handing_over_;
    std::map<RoleAddress, std::uint32_t> given_;  // to each game, since it reported its load
    struct Forward {
        RoleAddress to;
        runtime::Time until;
    };
    /// Players whom another game takes over, or has taken over: what others still send here goes there.
    std::map<PlayerId, Forward> forwards_;
    struct Arrival {
        RoleAddress from;
        runtime::Time since;
        std::vector<Binary> pushes;  ///< of others than `from`: they wait until everything that came before has come
        bool holds_turn = false;     ///< so does the player
    };
    std::map<PlayerId, Arrival> arriving_;
    struct Early {
        std::vector<Binary> pushes;
        bool lost = false;  ///< there were too many
    };
    std::map<PlayerId, Early> early_;  // for players who are being loaded

    Gauge& players_gauge_;
    Counter& handed_over_;
    Counter& gone_;
    Counter& refused_busy_;
    Counter& failed_;
    Counter& slow_;
    Counter& repeated_;
    Counter& resumed_;
    Counter& gaps_;
    runtime::Timers timers_;
    runtime::Tasks tasks_;  // last: ends first
};

}  // namespace gs::game
