#include "roles/center/channels.hpp"

#include "api/json.hpp"

namespace gs::center {

namespace {
constexpr std::string_view record_space = "channel";
constexpr std::uint64_t reserve_block = 1000;
constexpr std::size_t channels_max = 100'000;
constexpr std::size_t name_bytes_max = 64;
constexpr std::uint32_t keep_max = 500;
constexpr std::size_t waiting_max = 10'000;
constexpr std::size_t channels_per_player_max = 100;  // of those that this center keeps

/// The line with its number set: a line is an array whose first element is the number.
Binary numbered(const Binary& line, std::uint64_t number) {
    msgpack::Reader reader{line};
    const auto count = reader.array();
    reader.skip();
    if (reader.failed() || count == 0)
        throw Error{Code::invalid, "a channel line must be a struct that starts with its number"};
    Buffer out;
    msgpack::Writer writer{out};
    writer.array(count);
    writer.unsigned_integer(number);
    out.append(BytesView{line}.subspan(reader.position()));
    return {out.view().begin(), out.view().end()};
}
}  // namespace

/// The channel's turn, for the length of a scope.
class Channels::Turn {
public:
    Turn(Channels& channels, std::string name) : channels_{channels}, name_{std::move(name)} {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
        channels_.channels_.at(name_).mailbox.done();
        channels_.forget_if_unused(name_);
    }

private:
    Channels& channels_;
    std::string name_;
};

Channels::Channels(cluster::RoleBus bus, entity::Persistence& persistence, runtime::Loop& loop, Metrics& metrics)
    : bus_{bus},
      persistence_{persistence},
      loop_{loop},
      lines_{metrics.counter("gameserver_channel_lines_total", "lines appended to channels")} {}

Channels::Channel& Channels::find_or_create(const std::string& name) {
    if (name.empty() || name.size() > name_bytes_max) {
        throw Error{Code::invalid, "a channel's name has 1 to {} bytes, this one {}", name_bytes_max, name.size()};
    }
    if (channels_.size() >= channels_max && !channels_.contains(name)) {
        throw Error{Code::busy, "there are {} channels already", channels_max};
    }
    return channels_[name];
}

Channels::Channel& Channels::find_for_work(const std::string& name) {
    auto& channel = find_or_create(name);
    if (channel.mailbox.waiting() >= waiting_max) throw Error{Code::busy, "channel \"{}\" waits for storage", name};
    return channel;
}

runtime::Task<> Channels::load(std::string name) {
    auto& channel = channels_.at(name);
    if (!channel.loaded) {
        auto record = co_await persistence_.read_record(std::string{record_space}, name);
        if (!record) throw Error{record.error()};
        channel.version = record->version;
        const auto saved = record->version == 0 ? Saved{} : from_json<Saved>(record->data).value();
        channel.lines.assign(saved.lines.begin(), saved.lines.end());
        channel.last = channel.reserved = saved.reserved;
        if (planted(PlantedBug::reused_numbers) && !saved.lines.empty()) channel.last = saved.lines.back().number;
        channel.loaded = true;
    }
}

runtime::Task<> Channels::write(std::string name, std::uint64_t reserved) {
    auto& channel = channels_.at(name);
    channel.dirty = false;
    Saved saved;
    saved.reserved = reserved;
    saved.lines.assign(channel.lines.begin(), channel.lines.end());
    storage::Commit commit;
    commit.records.push_back({std::string{record_space}, name, channel.version, to_json(saved)});
    auto outcome = co_await persistence_.commit(std::move(commit));
    if (outcome && *outcome == storage::Outcome::ok) {
        ++channel.version;
        channel.reserved = reserved;
        co_return;
    }
    // Our own write whose answer was lost, or another center's: what is stored counts.
    channel.loaded = false;
    throw Error{Code::unavailable, "channel \"{}\" is being read again; try once more", name};
}

runtime::Task<session::ChannelJoined> Channels::join(session::ChannelJoin request) {
    const auto joined_already = memberships_.find(request.player);
    if (joined_already != memberships_.end() && joined_already->second >= channels_per_player_max) {
        throw Error{Code::limited, "a player can be in {} channels at once", channels_per_player_max};
    }
    auto& channel = find_for_work(request.channel);  // after the check: a channel that is made must be used
    co_await channel.mailbox.turn();
    const Turn turn{*this, request.channel};
    co_await load(request.channel);
    if (bus_.bus().find(request.gateway) == nullptr) throw Error{Code::unavailable, "the player's gateway was lost"};
    add_member(request.channel, request.gateway, request.player);
    session::ChannelMember member;
    member.channel = request.channel;
    member.player = request.player;
    member.epoch = request.epoch;
    member.member = true;
    bus_.send(request.gateway, std::move(member));
    session::ChannelJoined joined;
    for (const auto& line : channel.lines) joined.last_lines.push_back(line.bytes);
    co_return joined;
}

Done Channels::leave(const session::ChannelLeave& request) {
    remove_member(request.channel, request.gateway, request.player);
    bus_.send(request.gateway, session::ChannelMember{request.channel, request.player, {}, false});
    return {};
}

runtime::Task<session::ChannelAppended> Channels::append(session::ChannelAppend request, runtime::Time asked) {
    auto& channel = find_for_work(request.channel);
    co_await channel.mailbox.turn();
    const Turn turn{*this, request.channel};
    // A line that is appended after its caller has given up would come twice when the caller says it again.
    if (loop_.now() - asked > cluster::default_deadline) throw Error{Code::deadline, "the caller has given up"};
    co_await load(request.channel);
    if (channel.last == channel.reserved) co_await write(request.channel, channel.reserved + reserve_block);
    const auto number = channel.last + 1;
    auto line = numbered(request.line, number);
    channel.last = number;
    channel.dirty = true;
    lines_.add();

    Buffer message;
    msgpack::Writer writer{message};
    writer.text(request.channel);
    wire::write_header(message, {wire::Kind::push, false, request.command, 0});
    writer.array(2);
    writer.text(request.channel);
    message.append(line);
    for (const auto& [gateway, players] : channel.members)
        bus_.send_raw(gateway, session::relay_to_channel, 0, 0, message);

    Line kept;
    kept.number = number;
    kept.bytes = std::move(line);
    channel.lines.push_back(std::move(kept));
    while (channel.lines.size() > std::min(request.keep, keep_max)) channel.lines.pop_front();
    session::ChannelAppended appended;
    appended.number = number;
    co_return appended;
}

void Channels::add_member(const std::string& channel, RoleAddress gateway, PlayerId player) {
    if (channels_[channel].members[gateway].insert(player).second) ++memberships_[player];
}

void Channels::remove_member(const std::string& channel, RoleAddress gateway, PlayerId player) {
    const auto place = channels_.find(channel);
    if (place == channels_.end()) return;
    const auto there = place->second.members.find(gateway);
    if (there == place->second.members.end()) return;
    if (there->second.erase(player) > 0) left_one(player);
    if (there->second.empty()) place->second.members.erase(there);
    forget_if_unused(channel);
}

void Channels::left_one(PlayerId player) {
    const auto count = memberships_.find(player);
    if (count != memberships_.end() && --count->second == 0) memberships_.erase(count);
}

void Channels::remove_gateway(RoleAddress gateway) {
    for (auto& [name, channel] : channels_) {
        const auto there = channel.members.find(gateway);
        if (there == channel.members.end()) continue;
        for (const auto player : there->second) left_one(player);
        channel.members.erase(there);
    }
    for (auto place = channels_.begin(); place != channels_.end();) {
        const auto name = (place++)->first;
        forget_if_unused(name);
    }
}

/// Nobody is in it: when storage has everything, the numbers that were reserved and not used given back, it goes.
void Channels::forget_if_unused(const std::string& name) {
    const auto place = channels_.find(name);
    if (place == channels_.end()) return;
    auto& channel = place->second;
    if (!channel.members.empty() || channel.mailbox.busy()) return;
    if (channel.loaded && channel.reserved != channel.last) channel.dirty = true;
    if (!channel.dirty) channels_.erase(place);
}

runtime::Task<> Channels::save() {
    std::vector<std::string> changed;
    for (const auto& [name, channel] : channels_) {
        if (channel.dirty) changed.push_back(name);
    }
    for (const auto& name : changed) {
        const auto place = channels_.find(name);
        if (place == channels_.end()) continue;
        auto& channel = place->second;
        co_await channel.mailbox.turn();
        const Turn turn{*this, name};
        const auto reserved = channel.members.empty() ? channel.last : channel.reserved;
        if (channel.dirty && channel.loaded) co_await write(name, reserved);
    }
}

}  // namespace gs::center
