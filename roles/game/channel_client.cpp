#include "roles/game/channel_client.hpp"

#include "roles/game/players.hpp"

namespace gs::game {

Task<std::vector<Binary>> ChannelClient::join(PlayerId player, std::string channel) {
    const auto* member = players_.find(player);
    if (member == nullptr || !member->is_online()) throw Error{Code::not_found, "player {} is not here", player};
    session::ChannelJoin request;
    request.channel = std::move(channel);
    request.player = player;
    request.epoch = member->connection();
    request.gateway = member->gateway();
    const auto center = bus_.any(Role::center).value();
    auto joined = co_await bus_.call(center, std::move(request));
    co_return std::move(joined).value().last_lines;
}

Task<> ChannelClient::leave(PlayerId player, std::string channel) {
    const auto* member = players_.find(player);
    if (member == nullptr) co_return;
    session::ChannelLeave request;
    request.channel = std::move(channel);
    request.player = player;
    request.gateway = member->gateway();
    const auto center = bus_.any(Role::center).value();
    auto left = co_await bus_.call(center, std::move(request));
    static_cast<void>(left.value());
}

Task<std::uint64_t> ChannelClient::append(std::string channel, Command push, std::uint32_t keep, Binary line) {
    session::ChannelAppend request;
    request.channel = std::move(channel);
    request.command = push;
    request.keep = keep;
    request.line = std::move(line);
    if (auto* turn = entity::Turn::current()) {
        const auto* speaker = players_.find(PlayerId{turn->entity().key().id});
        if (speaker != nullptr && turn->is_of(*speaker)) {
            request.player = speaker->id();
            request.epoch = speaker->connection();
        }
    }
    const auto center = bus_.any(Role::center).value();
    auto appended = co_await bus_.call(center, std::move(request));
    co_return appended.value().number;
}

}  // namespace gs::game
