#pragma once
// A player in a game role: an entity together with the client that plays it.
// Owner: the game role. Loop: its own. A reference is good for the length of the turn.
#include <optional>

#include "entity/turn.hpp"

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
    void connect(ConnectionEpoch connection, RoleAddress gateway) {
        connection_ = connection;
        gateway_ = gateway;
        online_ = true;
    }
    void disconnect() { online_ = false; }
    [[nodiscard]] bool is_loaded() const { return loaded_; }
    void set_loaded(bool loaded) { loaded_ = loaded; }
    [[nodiscard]] std::optional<entity::Turn>& turn_in_progress() { return turn_; }

private:
    PlayerId id_;
    ConnectionEpoch connection_{};
    RoleAddress gateway_;
    bool online_ = false, loaded_ = false;
    std::optional<entity::Turn> turn_;
};

}  // namespace gs::session
