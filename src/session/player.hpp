#pragma once
// A player in a game role: an entity together with the client that plays it.
// Owner: the game role. Loop: its own. A reference is good for the length of the turn.
#include <optional>
#include <set>
#include <string>

#include "entity/turn.hpp"
#include "runtime/loop.hpp"
#include "session/stream.hpp"

namespace gs::session {

class Player final : public entity::Entity {
public:
    explicit Player(PlayerId id) : Entity{{"player", static_cast<std::uint64_t>(id)}}, id_{id} {}

    [[nodiscard]] PlayerId id() const { return id_; }
    [[nodiscard]] bool is_online() const { return online_; }

    // --- for the host ----------------------------------------------------------------------------------------------
    /// The client's connection; a message of another epoch is not this one's.
    [[nodiscard]] ConnectionEpoch connection() const { return connection_; }
    [[nodiscard]] const RoleAddress& gateway() const { return gateway_; }
    /// From here on nothing of an older connection counts; what is for the client waits in the stream until attach().
    void connect(ConnectionEpoch connection, RoleAddress gateway) {
        connection_ = connection;
        gateway_ = gateway;
        online_ = true;
        attached_ = false;
    }
    void attach() {
        attached_ = true;
        stream_.hold(false);
    }
    /// The client has what it missed and is sent everything at once.
    [[nodiscard]] bool is_attached() const { return attached_; }
    void disconnect(runtime::Time since) {
        online_ = attached_ = false;
        offline_since_ = since;
    }
    [[nodiscard]] runtime::Time offline_since() const { return offline_since_; }
    [[nodiscard]] Stream& stream() { return stream_; }
    /// The reply that goes out when the write that is being made is durable.
    void set_held_reply(const wire::Header* request, BytesView body) {
        held_request_ = request;
        held_body_ = body;
    }
    /// The channels that the client hears: joined again with each connection of the session.
    [[nodiscard]] std::set<std::string>& channels() { return channels_; }
    [[nodiscard]] bool is_leaving() const { return leaving_; }
    void set_leaving(bool leaving) { leaving_ = leaving; }
    /// The client is to go on in another game role.
    void set_moving(bool moving) { moving_ = moving; }
    [[nodiscard]] bool is_moving() const { return moving_; }
    /// The next writes note the whole stream, for whom it is handed over to or for whoever comes next. Nothing may be
    /// running or waiting.
    enum class Whole : std::uint8_t { no, for_heir, for_anyone };
    void set_whole_mark(Whole whole) { whole_mark_ = whole; }
    /// From what was stored with the entity.
    void restore_session(const storage::Opened& opened, bool is_heir);
    [[nodiscard]] bool is_loaded() const { return loaded_; }
    void set_loaded(bool loaded) { loaded_ = loaded; }
    [[nodiscard]] std::optional<entity::Turn>& turn_in_progress() { return turn_; }

private:
    [[nodiscard]] std::string mark() const override;

    PlayerId id_;
    ConnectionEpoch connection_{};
    RoleAddress gateway_;
    bool online_ = false, attached_ = false, loaded_ = false, moving_ = false, leaving_ = false;
    Whole whole_mark_ = Whole::no;
    runtime::Time offline_since_{};
    Stream stream_;
    std::set<std::string> channels_;
    const wire::Header* held_request_ = nullptr;
    BytesView held_body_;
    std::optional<entity::Turn> turn_;
};

}  // namespace gs::session
