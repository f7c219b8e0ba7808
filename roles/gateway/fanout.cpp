#include "roles/gateway/fanout.hpp"

#include <limits>

namespace gs::gateway {

namespace {

/// One message as a frame for each set of features that its receivers have; each is made once, when it is needed.
class SharedFrame {
public:
    SharedFrame(BytesView message, std::size_t compress_from) : message_{message}, compress_from_{compress_from} {}

    const SharedBytes& for_features(std::uint64_t features) {
        auto& frame = frames_[features & (frames_.size() - 1)];
        if (!frame) frame = make(features);
        return *frame;
    }

private:
    [[nodiscard]] SharedBytes make(std::uint64_t features) const {
        Buffer frame;
        if (features == 0) {
            const auto begin = wire::begin_frame(frame);
            frame.append(message_);
            wire::finish_frame(frame, begin);
        } else {
            wire::seal(message_, {features, compress_from_, {}}, (message_[0] & wire::flag::secret) != 0, frame);
        }
        return SharedBytes{frame};
    }

    BytesView message_;
    std::size_t compress_from_;
    std::array<std::optional<SharedBytes>, wire::feature::all + 1> frames_;
};

}  // namespace

void Fanout::join(const std::string& channel, Client& client) {
    client.channels().insert(channel);
    channels_[channel][client.player()] = &client;
}

void Fanout::leave(const std::string& channel, PlayerId player, Client* client) {
    if (client != nullptr) client->channels().erase(channel);
    drop(channel, player);
}

void Fanout::forget(Client& client) {
    for (const auto& channel : client.channels()) drop(channel, client.player());
}

void Fanout::drop(const std::string& channel, PlayerId player) {
    const auto members = channels_.find(channel);
    if (members == channels_.end()) return;
    members->second.erase(player);
    if (members->second.empty()) channels_.erase(members);
}

void Fanout::to_channel(BytesView body) {
    msgpack::Reader reader{body};
    const auto name = reader.text();
    if (reader.failed()) return;
    const auto members = channels_.find(name);
    if (members != channels_.end()) send(members->second, body.subspan(reader.position()));
}

void Fanout::to_all(const Players& players, BytesView message) { send(players, message); }

void Fanout::to_players(const Players& players, const RoleAddress& game, BytesView body) {
    msgpack::Reader reader{body};
    const auto count = reader.array();
    receivers_.clear();
    std::uint64_t id = 0;
    for (std::size_t index = 0; index < count && !reader.failed(); ++index) {
        id += reader.unsigned_integer(std::numeric_limits<std::uint64_t>::max() - id);
        const auto place = players.find(PlayerId{id});
        // Another game may hold the player by now: what this one has to say comes too late.
        if (place != players.end() && place->second->game() == game) receivers_.push_back(place->second);
    }
    if (!reader.failed()) send(body.subspan(reader.position()));
}

void Fanout::send(const Players& members, BytesView message) {
    receivers_.clear();
    for (const auto& [player, client] : members) receivers_.push_back(client);
    send(message);
}

/// Most of many receivers are not in the processor's cache: each is asked for a little before its turn.
void Fanout::send(BytesView message) {
    constexpr std::size_t look_ahead = 4;
    if (message.empty()) return;
    SharedFrame frame{message, settings_.compress_from};
    const auto state = wire::state_command(message);
    for (std::size_t index = 0; index < receivers_.size(); ++index) {
        if (index + 2 * look_ahead < receivers_.size()) receivers_[index + 2 * look_ahead]->prefetch();
        if (index + look_ahead < receivers_.size()) receivers_[index + look_ahead]->prefetch_connection();
        receivers_[index]->send_frame(frame.for_features(receivers_[index]->features()), state);
    }
}

}  // namespace gs::gateway
