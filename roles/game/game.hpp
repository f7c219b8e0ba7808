#pragma once
// The game role: hosts player entities and runs the modules' handlers, one message of a player at a time.
// The life of a message: on_client -> begin_message -> handler -> end_message -> (commit) -> release.
#include <map>
#include <memory>
#include <set>

#include "api/module.hpp"
#include "api/role.hpp"
#include "api/storage.hpp"
#include "roles/game/call_log.hpp"
#include "roles/game/channel_client.hpp"
#include "roles/game/hand_over.hpp"
#include "roles/game/partners.hpp"
#include "roles/game/players.hpp"
#include "roles/game/scenes.hpp"
#include "roles/game/services.hpp"

namespace gs::game {

struct GameSettings {
    explicit GameSettings(Settings settings);
    std::chrono::seconds save_period;
    std::chrono::milliseconds slow_handler;
    std::chrono::seconds resume;
    std::int64_t players_max;
    bool log_calls;
    std::string group;
};

class Game final : public Actor, public ModuleHost, private HandOverHost {
public:
    static constexpr auto save_tick = std::chrono::milliseconds{500};
    static constexpr auto look_tick = std::chrono::milliseconds{10};
    static constexpr std::size_t looked_at_once_min = 64;
    static constexpr auto report_tick = std::chrono::milliseconds{100};

    explicit Game(RoleContext& context);

    Task<> start() override;
    Task<> stop() override;

private:
    struct BoundCommand {
        std::unique_ptr<CommandHandler> handler;
        Histogram* seconds;
        Histogram* service_seconds;  ///< for players of other games; null: it is no service
        std::string module;
        std::string group{};  ///< which one answers it; empty: this game
        [[nodiscard]] bool waits() const { return handler->is_coroutine || !group.empty(); }
    };
    struct BoundPush {
        PushType push;
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
        wire::Header header;        ///< its own, but for `secret`: that of its reply
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
    /// The handler of a message that waits for something.
    Task<> begin_handler(Player& player, const BoundCommand& command, BytesView body, Buffer& reply);
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
    void warn_if_slow(PlayerId player, const BoundCommand& command, runtime::Duration took);
    /// For a player of another game.
    Task<session::Served> serve(session::Serve request);
    Task<> answer(const BoundCommand& command, PlayerId player, BytesView body, Buffer& reply);
    void send_reply(Player& player, const Running& running, bool error, BytesView body);
    void send_error(Player& player, const Running& running, const Error& error);
    /// What the player's stream has just numbered: to the client, if it is there; else it waits in the stream.
    void send_frame(Player& player, BytesView frame);
    void push(Player& player, BytesView message) override;
    /// Before anything else goes to clients, so that they see the order in which it was done.
    void flush_outgoing();
    /// The gateway cannot be told what the client must not miss: the connection ends, and the client resumes.
    void cut_off(PlayerId player, RoleAddress gateway, ConnectionEpoch connection, std::string_view why) override;
    /// The same, heard later from the loop that holds the links.
    void on_refused(const cluster::Envelope& envelope);

    // --- players
    Task<session::Entrance> enter(RoleAddress from, session::EnterGame request);
    Task<> load(Player& player, std::optional<storage::Ownership> expected);
    void require_not_handed_over(const session::EnterGame& request);
    [[nodiscard]] bool is_full_for(PlayerId player) const;
    /// What the client may resume, and what it has missed.
    session::Entrance take_up_session(Player& player, const session::EnterGame& request);
    void run_enter_hooks(Player& player) override;
    void run_leave_hooks(Player& player) override;
    void run_hook(Player& player, const std::function<void(Player&)>& hook);
    void on_leave(PlayerId player, ConnectionEpoch epoch, bool for_good);
    void on_called_back(const session::LeaveGame& note);
    void on_leave_passed_on(const session::LeaveGame& note);
    void start_leaving(Player& player);
    Task<> leave(Player& player);
    bool end_if_stale(Player& player);
    void require_room(PlayerId player) const override;
    Task<bool> own(Player& player, bool may_be_old, std::optional<storage::Ownership> expected) override;
    Task<> settle(Player& player) override;
    Task<Saved> save(Player& player, bool always) override;
    Task<Saved> save_last(Player& player, bool for_heir) override;
    Task<Saved> save_confirmed(Player& player) override;
    Task<> save_in_background(Player& player);
    void drop_fenced(Player& player) override;
    void drop(Player& player) override;
    void report() override;
    void route_services();
    void announce(bool is_ready, std::string why);
    void report_soon() override { report_due_ = true; }
    void save_if_due(Player& player);
    void begin_round();
    void look_at_some();

    // --- ModuleHost
    void add_command(std::unique_ptr<CommandHandler> handler) override;
    void add_push(const PushType& push) override;
    void add_part(std::unique_ptr<PartHandler> part) override;
    void add_component(const entity::ComponentType& type) override { components_.push_back(&type); }
    void add_enter_hook(std::function<void(Player&)> hook) override { enter_hooks_.push_back(std::move(hook)); }
    void add_leave_hook(std::function<void(Player&)> hook) override { leave_hooks_.push_back(std::move(hook)); }
    Settings settings() override { return settings_tree_; }
    runtime::Loop& loop() override { return loop_; }
    Metrics& metrics() override { return metrics_; }
    void push_to(PlayerId player, BytesView message) override { hand_over_.push_to(player, message); }
    void push_to_all(BytesView message) override;
    ChannelService& channels() override { return channels_; }
    SceneService& scenes() override { return scenes_; }
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
    Scenes scenes_;
    Services services_;
    Partners partners_;
    HandOver hand_over_;
    CallLog call_log_;
    std::vector<std::unique_ptr<BoundCommand>> commands_;  // by number
    std::map<Command, BoundPush> pushes_;
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
    bool ready_ = false, stopping_ = false, report_due_ = false;
    std::uint32_t save_ticks_ = 0;
    PlayerId looked_at_{};     // the last one in this round
    std::size_t serving_ = 0;  // requests of players of other games
    std::set<PlayerId> save_late_;
    /// Gateways to tell again, each second, that a connection is over.
    std::map<PlayerId, std::pair<RoleAddress, session::Kick>> cut_off_;

    Gauge& players_gauge_;
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
