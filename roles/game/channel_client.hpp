#pragma once
// The game's side of channels: asks the center, which orders them. Loop: the game's.
#include "api/channel.hpp"
#include "api/role.hpp"
#include "api/session.hpp"

namespace gs::game {

class Players;

class ChannelClient final : public ChannelService {
public:
    ChannelClient(cluster::RoleBus bus, Players& players) : bus_{bus}, players_{players} {}

    Task<std::vector<Binary>> join(PlayerId player, std::string channel) override;
    Task<> leave(PlayerId player, std::string channel) override;
    /// A new connection of the session: the gateway hears the player's channels from here on.
    void join_again(Player& player, runtime::Tasks& tasks);
    Task<std::uint64_t> append(std::string channel, Command push, std::uint32_t keep, Binary line) override;

private:
    Task<> join_again_as(PlayerId player, ConnectionEpoch connection, std::string channel);

    cluster::RoleBus bus_;
    Players& players_;
};

}  // namespace gs::game
