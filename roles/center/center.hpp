#pragma once
// The center: who is online where. Grants connection epochs, places players on games, tells old connections to go, and
// orders channels. Several centers share the players and the channels: each keeps its own, and nobody else's. The table
// is in memory; after a restart it asks gateways and games who is with them.
#include <map>

#include "api/role.hpp"
#include "api/session.hpp"
#include "api/storage.hpp"
#include "roles/center/ban_list.hpp"
#include "roles/center/channels.hpp"
#include "roles/center/login_queue.hpp"
#include "roles/center/router.hpp"

namespace gs::center {

class Center final : public Actor {
public:
    explicit Center(RoleContext& context);

    runtime::Task<> start() override;
    runtime::Task<> stop() override;

private:
    struct Place {
        ConnectionEpoch epoch{};
        std::uint64_t session = 0;
        std::optional<RoleAddress> gateway;  ///< none: the client is gone, the game still holds the player
        RoleAddress game;
    };

    /// On one game, by this center.
    struct Placed {
        std::uint32_t reported = 0;  ///< by the game: all of its players
        std::uint32_t more = 0;      ///< placed since
    };

    runtime::Task<session::Attached> attach(RoleAddress from, session::Attach request);
    /// Throws unless the client may resume the session that it names.
    void check_claim(const session::Attach& request) const;
    [[nodiscard]] Binary key_of(PlayerId player, std::uint64_t session) const;
    void require_current(PlayerId player, ConnectionEpoch epoch) const;
    runtime::Task<session::ChannelAppended> append(session::ChannelAppend request);
    [[nodiscard]] bool keeps(PlayerId player) const;
    void kick(RoleAddress gateway, PlayerId player, ConnectionEpoch epoch);
    [[nodiscard]] runtime::Task<Done> kick_player(session::KickPlayer request);
    void check_bans(const session::Attach& request) const;
    runtime::Task<> read_bans();
    void detach(const session::Detached& note, RoleAddress from);
    void unload(const session::Unloaded& note, RoleAddress from);
    Done move_player(const session::MovePlayer& request, RoleAddress from);
    void count_more(RoleAddress game);
    void count_less(RoleAddress game);
    void relay_to_player(const cluster::Envelope& envelope);
    void on_instance(const cluster::Instance& instance, bool up);
    runtime::Task<> learn(RoleAddress from);
    void learn_player(const session::HeldPlayer& held, RoleAddress from);
    void forget(RoleAddress gone);
    [[nodiscard]] bool is_here(RoleAddress game) const;
    /// Throws unavailable: none of that group is ready.
    [[nodiscard]] RoleAddress choose_game(std::string_view group) const;
    [[nodiscard]] bool is_misplaced(const session::Attach& request, std::string_view group) const;
    void require_gateway(RoleAddress gateway, std::size_t lost_before) const;
    runtime::Task<> fetch_back(session::Attach request, std::string group, runtime::Time began);
    runtime::Task<> take_term();
    runtime::Task<> read_session_key();
    runtime::Task<> save_channels();
    void report();

    runtime::Loop& loop_;
    cluster::RoleBus bus_;
    entity::Persistence persistence_;
    Channels channels_;
    BanList bans_;
    LoginQueue queue_;
    Router router_;
    std::chrono::milliseconds settle_;
    std::map<PlayerId, Place> players_;
    std::map<RoleAddress, Placed> placed_;
    std::uint64_t term_ = 0, granted_ = 0;
    Binary session_key_;
    std::size_t learning_ = 0, online_ = 0, lost_gateways_ = 0;
    bool ready_ = false, saving_ = false;
    Gauge& online_gauge_;
    Counter& takeovers_;
    Counter& gone_;
    runtime::Timers timers_;
    runtime::Tasks tasks_;
};

}  // namespace gs::center
