#pragma once
// All that a module needs: derive from Module, take a ModuleContext, register handlers in the constructor, and name the
// module with GS_MODULE. See docs/tutorial.md, whose code is modules/echo.
//   class Chat final : public gs::Module {
//   public:
//       explicit Chat(gs::ModuleContext& context) { context.on(&Chat::say, this); }
//   private:
//       SayOk say(gs::Player& from, const Say& message);                     // a plain handler
//       gs::Task<Joined> join(gs::Player& player, Join message);            // or a coroutine, when it must wait
//   };
//   GS_MODULE(chat, Chat)
// Loop: handlers, timers and events of a module run on its role's loop, one message of a player at a time.
// Errors: throw gs::Error; the client gets it as its reply, every edit is undone and every push is dropped.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/channel.hpp"
#include "api/handler.hpp"
#include "api/message.hpp"
#include "api/push.hpp"
#include "api/scene.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/settings.hpp"
#include "runtime/timers.hpp"

namespace gs {

using entity::Save;
using runtime::sleep;
using runtime::Timers;

class Module {
public:
    virtual ~Module() = default;
};

/// What the role that runs a module does for it.
class ModuleHost {
public:
    virtual void add_command(std::unique_ptr<CommandHandler> handler) = 0;
    virtual void add_push(const PushType& push) = 0;
    virtual void add_part(std::unique_ptr<PartHandler> part) = 0;
    virtual void add_component(const entity::ComponentType& type) = 0;
    virtual void add_enter_hook(std::function<void(Player&)> hook) = 0;
    virtual void add_leave_hook(std::function<void(Player&)> hook) = 0;
    [[nodiscard]] virtual Settings settings() = 0;
    [[nodiscard]] virtual runtime::Loop& loop() = 0;
    [[nodiscard]] virtual Metrics& metrics() = 0;

    /// `message` is a whole client message (header and body).
    virtual void push_to(PlayerId player, BytesView message) = 0;
    virtual void push_to_all(BytesView message) = 0;
    virtual ChannelService& channels() = 0;
    virtual SceneService& scenes() = 0;

    [[nodiscard]] virtual Task<storage::Record> read_record(std::string space, std::string key) = 0;
    [[nodiscard]] virtual Task<std::optional<std::string>> read_component(PlayerId player, std::string name) = 0;
    [[nodiscard]] virtual Player* find(PlayerId player) = 0;
    /// Returns the encoded reply.
    [[nodiscard]] virtual Task<Binary> together(PlayerId other, Command part, Binary body) = 0;

protected:
    ~ModuleHost() = default;
};

class ModuleContext {
public:
    ModuleContext(ModuleHost& host, std::string name) : host_{host}, name_{std::move(name)}, timers_{host.loop()} {}

    /// A client command: `Reply f(Player&, const Request&)` or `Task<Reply> f(Player&, Request)`.
    template <class Self, Request T>
    void on(ReplyOf<T> (Self::*handler)(Player&, const T&), Self* self) {
        host_.add_command(std::make_unique<PlainHandler<Self, T, Player&>>(handler, self));
    }
    template <class Self, Request T>
    void on(Task<ReplyOf<T>> (Self::*handler)(Player&, T), Self* self) {
        host_.add_command(std::make_unique<CoroutineHandler<Self, T, Player&>>(handler, self));
    }
    /// The same for what needs nothing of the player but who asks: `Reply f(PlayerId, const Request&)` or
    /// `Task<Reply> f(PlayerId, Request)`. An operator may send these of a module to another group of games
    /// ([[game.route]]); there they run in no player's turn, and pushes leave at once.
    template <class Self, Request T>
    void serve(ReplyOf<T> (Self::*handler)(PlayerId, const T&), Self* self) {
        host_.add_command(std::make_unique<PlainHandler<Self, T, PlayerId>>(handler, self));
    }
    template <class Self, Request T>
    void serve(Task<ReplyOf<T>> (Self::*handler)(PlayerId, T), Self* self) {
        host_.add_command(std::make_unique<CoroutineHandler<Self, T, PlayerId>>(handler, self));
    }
    /// The pushes that this module sends: `context.pushes<Said, Whispered>()`. Clients learn of them from `gameserver
    /// schema`; one that is not declared is not sent, and fails with internal.
    template <Push... T>
    void pushes() {
        (pushes_.add(command_of<T>), ...);
        (host_.add_push({command_of<T>, name_of<T>(), &describe<T>(), is_state<T>}), ...);
    }
    /// What a player does when another one asks for it by together(): `Reply f(Player&, const T&)`, never a coroutine.
    template <class Self, Part T>
    void on_together(ReplyOf<T> (Self::*handler)(Player&, const T&), Self* self) {
        host_.add_part(std::make_unique<TypedPartHandler<Self, T>>(handler, self));
    }
    /// A component that this module keeps on players; it is loaded with them.
    template <entity::Component T>
    void component() {
        host_.add_component(entity::component_type<T>());
    }
    /// Called in a turn of the player: each time a client enters, and before the player is saved and dropped. Changes of
    /// an enter hook are durable before the client is in; its pushes do not wait for that.
    void on_enter(std::function<void(Player&)> hook) { host_.add_enter_hook(std::move(hook)); }
    void on_leave(std::function<void(Player&)> hook) { host_.add_leave_hook(std::move(hook)); }

    /// A setting of this module, declared and read in one line: [module.chat] text_max in the config.
    [[nodiscard]] std::int64_t config(std::string_view key, std::int64_t fallback, Range range, std::string_view unit,
                                      std::string_view meaning) {
        return host_.settings().section("module").section(name_).integer(key, fallback, range, unit, meaning);
    }
    [[nodiscard]] bool config(std::string_view key, bool fallback, std::string_view meaning) {
        return host_.settings().section("module").section(name_).flag(key, fallback, meaning);
    }

    /// To one player wherever they are. Held until the turn commits. Reliable: it arrives once and in order, also over
    /// lost connections and gateways; docs/promises.md says what a lost game or center costs. A struct with `static constexpr bool state = true` is a
    /// state instead: only the latest counts, and who is away misses it.
    template <Push T>
    void push(PlayerId to, const T& message) {
        hold(message, [host = &host_, to](BytesView bytes) { host->push_to(to, bytes); });
    }
    template <Push T>
    void push(std::vector<PlayerId> to, const T& message) {
        hold(message, [host = &host_, to = std::move(to)](BytesView bytes) {
            for (const auto player : to) host->push_to(player, bytes);
        });
    }
    /// To everyone online, on every gateway. Like a line of a channel it is not sent again to who is away.
    template <Push T>
    void push_all(const T& message) {
        hold(message, [host = &host_](BytesView bytes) { host->push_to_all(bytes); });
    }
    [[nodiscard]] Channel channel(std::string name) { return {host_.channels(), pushes_, std::move(name)}; }
    [[nodiscard]] Scene scene(std::string name) { return {host_.scenes(), pushes_, std::move(name)}; }

    /// Runs the handler of `part` on another player who plays, in whatever game role: what it changes there and what
    /// this turn changes here is stored in one transaction, or nothing of it is. Only in a turn. Errors: what the
    /// handler throws; not_found: that player does not play; busy: that player did something else for too long.
    template <Part T>
    [[nodiscard]] Task<ReplyOf<T>> together(PlayerId other, T part) {
        auto body = msgpack::encode(part);
        auto reply = co_await host_.together(other, command_of<T>, std::move(body));
        co_return msgpack::decode<ReplyOf<T>>(reply).value();
    }

    /// Makes `key` this player's own in `space` when the turn commits (a unique name, the id of a payment). False when
    /// it is that already. Errors: conflict when it is another player's, here or at the commit.
    [[nodiscard]] Task<bool> claim(Player& player, std::string space, std::string key);
    /// Gives it up when the turn commits; nothing happens when it is not this player's.
    [[nodiscard]] Task<> release(Player& player, std::string space, std::string key);

    /// Another player's component as it was saved last, or as it is when that player is here.
    template <entity::Component T>
    [[nodiscard]] Task<T> look_up(PlayerId player) {
        if (auto* present = host_.find(player)) {
            const auto* turn = entity::Turn::current();
            if (turn != nullptr && turn->is_of(*present)) co_return present->get<T>();
            co_return present->committed<T>();
        }
        auto json = co_await host_.read_component(player, std::string{entity::component_type<T>().name});
        if (!json) co_return T{};
        co_return from_json<T>(*json).value();
    }

    [[nodiscard]] Timers& timers() { return timers_; }
    [[nodiscard]] runtime::Loop& loop() { return host_.loop(); }
    [[nodiscard]] Metrics& metrics() { return host_.metrics(); }
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    template <Push T, class Send>
    void hold(const T& message, Send send) {
        entity::after_commit([bytes = pushes_.encode(message), send = std::move(send)] { send(bytes); });
    }

    ModuleHost& host_;
    std::string name_;
    DeclaredPushes pushes_;
    Timers timers_;
};

/// A player who logs in, as rules of routing see it.
struct Login {
    PlayerId player{};
    std::string_view client_version;
    std::string_view address;  ///< in digits
};
/// Of a module: the group of games (game.group) that plays a login, or empty for no opinion. Called on the center's loop
/// once at each login and resume: it looks at nothing but the login, and does not wait.
using RouteRule = std::string (*)(const Login& login);
/// The group of games when nothing else is said.
inline constexpr std::string_view main_group = "main";

/// A module as the executable knows it. Constructors have no effect beyond registering: they also run to check a
/// config.
struct ModuleInfo {
    std::string_view name;
    std::unique_ptr<Module> (*make)(ModuleContext& context);
    RouteRule route = nullptr;
};

}  // namespace gs

/// GS_MODULE(name, Type), or with a RouteRule: GS_MODULE(name, Type, &Type::route)
#define GS_MODULE(module_name, type, ...)                                                                       \
    namespace gs {                                                                                              \
    extern const ModuleInfo module_name##_module;                                                               \
    const ModuleInfo module_name##_module{#module_name, [](ModuleContext& context) -> std::unique_ptr<Module> { \
                                              return std::make_unique<type>(context);                           \
                                          } __VA_OPT__(, ) __VA_ARGS__};                                        \
    }
