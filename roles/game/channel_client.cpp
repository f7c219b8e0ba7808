#include "roles/game/channel_client.hpp"

#include "roles/game/players.hpp"

namespace gs::game {

namespace {
constexpr auto join_again_pause = std::chrono::milliseconds{500};
}

Task<std::vector<Binary>> ChannelClient::join(PlayerId player, std::string channel) {
    const auto* member = players_.find(player);
    if (member == nullptr || !member->is_online()) throw Error{Code::not_found, "player {} is not here", player};
    session::ChannelJoin request;
    request.channel = std::move(channel);
    request.player = player;
    request.epoch = member->connection();
    request.gateway = member->gateway();
    const auto name = request.channel;
    const auto center = session::center_of(bus_, name).value();
    auto joined = co_await bus_.call(center, std::move(request));
    auto lines = std::move(joined).value().last_lines;
    if (auto* joiner = players_.find(player)) joiner->channels().insert(name);
    co_return std::move(lines);
}

void ChannelClient::join_again(Player& player, runtime::Tasks& tasks) {
    for (const auto& channel : player.channels()) {
        tasks.spawn(join_again_as(player.id(), player.connection(), channel), "join again");
    }
}

/// Lines that were said meanwhile are missing; the client sees that by their numbers.
Task<> ChannelClient::join_again_as(PlayerId player, ConnectionEpoch connection, std::string channel) {
    for (;;) {
        const auto* member = players_.find(player);
        if (member == nullptr || member->connection() != connection || !member->is_online()) co_return;
        if (!players_.find(player)->channels().contains(channel)) co_return;  // left again meanwhile
        try {
            co_await join(player, channel);
            co_return;
        } catch (const Error& error) {
            log::debug("player {} is not in channel {} again yet: {}", player, channel, error.message());
        }
        co_await sleep(bus_.loop(), join_again_pause);
    }
}

Task<> ChannelClient::leave(PlayerId player, std::string channel) {
    const auto* member = players_.find(player);
    if (member == nullptr) co_return;
    players_.find(player)->channels().erase(channel);
    session::ChannelLeave request;
    request.channel = std::move(channel);
    request.player = player;
    request.gateway = member->gateway();
    const auto center = session::center_of(bus_, request.channel).value();
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
    const auto center = session::center_of(bus_, request.channel).value();
    auto appended = co_await bus_.call(center, std::move(request));
    co_return appended.value().number;
}

}  // namespace gs::game
