#include "roles/gateway/fanout.hpp"

namespace gs::gateway {

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

/// Most of many receivers are not in the processor's cache: each is asked for a little before its turn.
void Fanout::send(const Players& members, BytesView message) {
    constexpr std::size_t look_ahead = 4;
    Buffer buffer;
    const auto begin = wire::begin_frame(buffer);
    buffer.append(message);
    wire::finish_frame(buffer, begin);
    const SharedBytes frame{buffer};
    receivers_.clear();
    for (const auto& [player, client] : members) receivers_.push_back(client);
    for (std::size_t index = 0; index < receivers_.size(); ++index) {
        if (index + 2 * look_ahead < receivers_.size()) receivers_[index + 2 * look_ahead]->prefetch();
        if (index + look_ahead < receivers_.size()) receivers_[index + look_ahead]->prefetch_connection();
        receivers_[index]->send_frame(frame);
    }
}

}  // namespace gs::gateway
