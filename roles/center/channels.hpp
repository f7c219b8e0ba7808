#pragma once
// The channels of the cluster: numbers lines, keeps the last ones, knows which gateways have members. Numbers never go
// back: a block of them is reserved in storage before its first is used, so a restart leaves a gap, not a repetition.
// Loop: the center's.
#include <deque>
#include <map>
#include <set>
#include <string>

#include "api/role.hpp"
#include "api/session.hpp"
#include "api/storage.hpp"

namespace gs::center {

class Channels {
public:
    Channels(cluster::RoleBus bus, entity::Persistence& persistence, runtime::Loop& loop, Metrics& metrics);

    runtime::Task<session::ChannelJoined> join(session::ChannelJoin request);
    Done leave(const session::ChannelLeave& request);
    runtime::Task<session::ChannelAppended> append(session::ChannelAppend request, runtime::Time asked);

    /// The gateway has a member (told by the gateway itself, after this center lost its memory).
    void add_member(const std::string& channel, RoleAddress gateway, PlayerId player);
    void remove_member(const std::string& channel, RoleAddress gateway, PlayerId player);
    void remove_gateway(RoleAddress gateway);

    /// Writes the last lines of channels that changed.
    runtime::Task<> save();
    [[nodiscard]] std::size_t size() const { return channels_.size(); }

private:
    class Turn;
    struct Line {
        std::uint64_t number = 0;
        Binary bytes;
        FIELDS(number, bytes)
    };
    /// What a restart finds.
    struct Saved {
        std::uint64_t reserved = 0;  ///< numbers up to this may have been used
        std::vector<Line> lines;
        FIELDS(reserved, lines)
    };
    struct Channel {
        std::uint64_t last = 0, reserved = 0, version = 0;
        bool loaded = false, dirty = false;
        entity::Mailbox mailbox;  // one reader or writer of the record at a time
        std::deque<Line> lines;
        std::map<RoleAddress, std::set<PlayerId>> members;
    };

    Channel& find_or_create(const std::string& name);
    /// Errors: busy, too many wait for their turn.
    Channel& find_for_work(const std::string& name);
    /// With its turn taken.
    runtime::Task<> load(std::string name);
    runtime::Task<> write(std::string name, std::uint64_t reserved);
    void left_one(PlayerId player);
    void forget_if_unused(const std::string& name);

    cluster::RoleBus bus_;
    entity::Persistence& persistence_;
    runtime::Loop& loop_;
    std::map<std::string, Channel> channels_;
    std::map<PlayerId, std::size_t> memberships_;  // how many channels each player is in
    Counter& lines_;
};

}  // namespace gs::center
