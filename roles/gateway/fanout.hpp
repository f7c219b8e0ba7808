#pragma once
// Who hears what is for many: a message to a channel's members here, or to all players, becomes one frame that they
// share; the loop sends it in slices (runtime::Loop::sends_per_turn_max), so that many receivers do not hold it up.
// Owner: the gateway. Loop: its own.
#include <map>
#include <string>
#include <vector>

#include "roles/gateway/client.hpp"
#include "roles/gateway/settings.hpp"

namespace gs::gateway {

using Players = HashMap<PlayerId, Client*>;

class Fanout {
public:
    explicit Fanout(const GatewaySettings& settings) : settings_{settings} {}

    void join(const std::string& channel, Client& client);
    void leave(const std::string& channel, PlayerId player, Client* client);
    /// It is gone: it hears nothing of its channels any more.
    void forget(Client& client);

    /// Body as of session::relay_to_channel.
    void to_channel(BytesView body);
    /// One message without its prefix.
    void to_all(const Players& players, BytesView message);
    /// Body as of session::relay_to_players; those of them who play in `game`.
    void to_players(const Players& players, const RoleAddress& game, BytesView body);

private:
    void drop(const std::string& channel, PlayerId player);
    void send(const Players& members, BytesView message);
    /// To receivers_.
    void send(BytesView message);

    const GatewaySettings& settings_;
    std::map<std::string, Players, std::less<>> channels_;
    std::vector<Client*> receivers_;  // of what is sent just now
};

}  // namespace gs::gateway
