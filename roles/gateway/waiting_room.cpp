#include "roles/gateway/waiting_room.hpp"

#include "roles/gateway/gateway.hpp"

namespace gs::gateway {

void WaitingRoom::wait(Client& client, RoleAddress center, std::uint64_t ticket, PlayerId player, wire::Enter claim) {
    auto& place = waiting_[{center, ticket}];
    // An older connection of the same player had it.
    if (auto* older = gateway_.find(place.client); older != nullptr && older != &client) {
        older->leave_queue();
        older->refuse_enter({Code::fenced, "this account logs in somewhere else"});
    }
    client.wait_in_queue(center, ticket);
    place = Waiting{client.id(), player, std::move(claim)};
}

bool WaitingRoom::leave(Client& client) {
    if (client.ticket() == 0) return false;
    const auto place = waiting_.find({client.queue(), client.ticket()});
    if (place == waiting_.end() || place->second.client != client.id()) return false;
    waiting_.erase(place);
    return true;
}

std::optional<WaitingRoom::Waiting> WaitingRoom::take(RoleAddress center, std::uint64_t ticket) {
    const auto place = waiting_.find({center, ticket});
    if (place == waiting_.end()) return std::nullopt;
    auto taken = std::move(place->second);
    waiting_.erase(place);
    return taken;
}

void WaitingRoom::moved(const session::QueueMoved& note, RoleAddress center) {
    std::vector<std::uint64_t> passed;  // their place went to a newer connection of the same player, or was lost
    for (auto at = waiting_.lower_bound({center, 0}); at != waiting_.end() && at->first.first == center; ++at) {
        const auto ticket = at->first.second;
        auto* client = gateway_.find(at->second.client);
        if (client == nullptr) continue;
        if (ticket < note.first) {
            passed.push_back(client->id());
            continue;
        }
        const auto ahead = std::min<std::uint64_t>(ticket - note.first, note.waiting == 0 ? 0 : note.waiting - 1);
        const auto wait = note.per_minute == 0 ? 0 : (ahead + 1) * 60 / note.per_minute + 1;
        client->tell_queued({static_cast<std::uint32_t>(ahead + 1), static_cast<std::uint32_t>(wait)});
    }
    turn_away(passed);
}

void WaitingRoom::lose(RoleAddress center) {
    std::vector<std::uint64_t> lost;
    for (auto at = waiting_.lower_bound({center, 0}); at != waiting_.end() && at->first.first == center; ++at)
        lost.push_back(at->second.client);
    std::erase_if(waiting_, [&](const auto& entry) { return entry.first.first == center; });
    for (const auto id : lost) {
        if (auto* client = gateway_.find(id)) client->leave_queue();
    }
    turn_away(lost);
}

void WaitingRoom::turn_away(const std::vector<std::uint64_t>& clients) {
    for (const auto id : clients) {
        if (auto* client = gateway_.find(id))
            client->close(Code::unavailable, "the place in the queue was lost; connect again", true);
    }
}

}  // namespace gs::gateway
