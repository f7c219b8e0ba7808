#pragma once
// What a bot does: one object for each bot, kept over its sessions. Add one: a file in scenarios/, a line in the
// table.
#include <memory>
#include <span>
#include <string_view>

#include <asio/awaitable.hpp>

namespace gs::bots {

class Bot;

class Scenario {
public:
    virtual ~Scenario() = default;
    /// After entering, and again in each new session.
    virtual asio::awaitable<void> begin() = 0;
    /// One action; called at the rate of the run.
    virtual asio::awaitable<void> act() = 0;
    /// Has everything come that must still come? Asked after the last act(), until it has or time is up.
    [[nodiscard]] virtual bool settled() const { return true; }
    /// The last word, while still connected: fails the bot for what did not come.
    virtual void finish() {}
    /// The connection was lost and the session goes on; after a gap pushes may be missing.
    virtual void resumed(bool /*gap*/) {}
    /// The session is over.
    virtual void lost() {}
};

struct ScenarioInfo {
    std::string_view name;
    std::string_view about;
    std::unique_ptr<Scenario> (*make)(Bot& bot);
};

[[nodiscard]] std::span<const ScenarioInfo> scenarios();
[[nodiscard]] const ScenarioInfo* find_scenario(std::string_view name);

std::unique_ptr<Scenario> make_echo(Bot& bot);
std::unique_ptr<Scenario> make_chat(Bot& bot);
std::unique_ptr<Scenario> make_profile(Bot& bot);
std::unique_ptr<Scenario> make_trade(Bot& bot);
std::unique_ptr<Scenario> make_whisper(Bot& bot);
std::unique_ptr<Scenario> make_arena(Bot& bot);
std::unique_ptr<Scenario> make_mixed(Bot& bot);

}  // namespace gs::bots
