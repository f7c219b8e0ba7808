#pragma once
// Two games, one of which is drained, and what its players are told meanwhile. Owner and loop: as in cluster.hpp.
#include <catch2/catch.hpp>

#include "tests/scenarios/cluster.hpp"
#include "tests/scenarios/guest_book.hpp"
#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

inline std::vector<NodePlan> usual_nodes() {
    return {{"center", {Role::center, Role::login, Role::storage}},
            {"gate-1", {Role::gateway}},
            {"gate-2", {Role::gateway}},
            {"game-1", {Role::game}},
            {"game-2", {Role::game}}};
}

struct HandOverWorld : TestCluster {
    explicit HandOverWorld(std::int64_t players_max = 100, std::int64_t resume_seconds = 60,
                           std::vector<NodePlan> nodes = usual_nodes())
        : TestCluster{std::move(nodes)} {
        add_module(trial_module);
        add_module(guest_book_module);
        set("game.resume_seconds", resume_seconds);
        set("game.players_max", players_max);
        start();
    }
    [[nodiscard]] std::string game_of(PlayerId who) {
        session::Locate request;
        request.player = who;
        const auto game = call(Role::center, request).value().game;
        return game.node == node("game-1").home_bus().group().self ? "game-1" : "game-2";
    }
    [[nodiscard]] std::string other(const std::string& game) { return game == "game-1" ? "game-2" : "game-1"; }
    Result<session::Draining> drain(const std::string& game, bool on = true) {
        return call_at(game, Role::game, session::Drain{on, false});
    }
    /// Goes on until the leave hooks of that many players have run: their players are about to go.
    [[nodiscard]] bool run_until_left(std::uint64_t count) {
        const auto before = guests_left;
        return run_until([&] { return guests_left >= before + count; });
    }
    /// One thing that happens, whatever it is.
    void step() {
        bool done = false;
        static_cast<void>(run_until([&] { return std::exchange(done, true); }, 1s));
    }
    [[nodiscard]] cluster::RoleBus speak_as(const std::string& name, Role role) {
        return {node(name).home_bus(), role};
    }
    [[nodiscard]] RoleAddress address(const std::string& name, Role role) {
        return {node(name).home_bus().group().self, role};
    }
    /// Pushes one text to that player, over the game or center `to`.
    static void push(cluster::RoleBus& bus, RoleAddress to, PlayerId who, const std::string& text) {
        Buffer message;
        wire::write_header(message, {wire::Kind::push, false, command_of<Told>});
        message.append(msgpack::encode(Told{text}));
        bus.send_raw(to, session::relay_to_player, static_cast<std::uint64_t>(who), 0, message);
    }
    [[nodiscard]] bool drains(const std::string& game) {
        return drain(game).has_value() && run_until([&] { return metric(game, "gameserver_game_players") == 0; });
    }
};

using Texts = std::vector<std::string>;
/// What it was told since the last asking.
inline Texts texts(TestClient& client) {
    Texts found;
    for (const auto& told : client.pushes<Told>()) found.push_back(told.text);
    return found;
}

}  // namespace gs::scenarios
