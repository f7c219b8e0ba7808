#pragma once
// How a typed handler of a module looks to the role that calls it: bytes in, bytes out.
#include <string_view>
#include <type_traits>

#include "base/describe.hpp"
#include "base/message.hpp"
#include "base/msgpack.hpp"
#include "runtime/task.hpp"
#include "session/player.hpp"
#include "wire/message.hpp"

namespace gs {

using runtime::Task;
using session::Player;

class CommandHandler {
public:
    CommandHandler(Command number, std::string_view title, const TypeDescription& request, const TypeDescription& reply,
                   bool waits, bool serves)
        : command{number},
          name{title},
          request_type{request},
          reply_type{reply},
          is_coroutine{waits},
          is_service{serves} {}
    virtual ~CommandHandler() = default;

    /// Plain handlers: appends the encoded reply. Throws Error.
    virtual void run(Player& /*player*/, BytesView /*body*/, Buffer& /*reply*/) { throw not_this_way(); }
    /// Coroutines: the same; `body` is only read before this returns, `reply` outlives the task.
    [[nodiscard]] virtual Task<> start(Player& /*player*/, BytesView /*body*/, Buffer& /*reply*/) {
        throw not_this_way();
    }
    /// Services, plain or not, where the player is not: as start().
    [[nodiscard]] virtual Task<> serve(PlayerId /*from*/, BytesView /*body*/, Buffer& /*reply*/) {
        throw not_this_way();
    }

    const Command command;
    const std::string_view name;
    const TypeDescription& request_type;
    const TypeDescription& reply_type;
    const bool is_coroutine;
    const bool is_service;  ///< it needs nothing of the player but who asks

private:
    [[nodiscard]] Error not_this_way() const { return {Code::internal, "{} cannot be handled this way", name}; }
};

/// What a player does together with another one.
class PartHandler {
public:
    PartHandler(Command number, std::string_view title) : command{number}, name{title} {}
    virtual ~PartHandler() = default;
    /// Appends the encoded reply. Throws Error.
    virtual void run(Player& player, BytesView body, Buffer& reply) = 0;

    const Command command;
    const std::string_view name;
};

template <class Self, Part T>
class TypedPartHandler final : public PartHandler {
public:
    using Function = ReplyOf<T> (Self::*)(Player&, const T&);
    TypedPartHandler(Function function, Self* self)
        : PartHandler{command_of<T>, name_of<T>()}, function_{function}, self_{self} {}

    void run(Player& player, BytesView body, Buffer& reply) override {
        T part{};
        msgpack::decode_into(body, part).value();
        msgpack::encode_to(reply, (self_->*function_)(player, part));
    }

private:
    Function function_;
    Self* self_;
};

/// Whom a handler is told of: the player, to work on; or only who asks, so that any game can answer.
template <class Who>
inline constexpr bool is_service = std::is_same_v<Who, PlayerId>;
template <class Who>
[[nodiscard]] Who who_is(Player& player) {
    if constexpr (is_service<Who>) {
        return player.id();
    } else {
        return player;
    }
}

template <class Self, Request T, class Who>
class PlainHandler final : public CommandHandler {
public:
    using Function = ReplyOf<T> (Self::*)(Who, const T&);
    PlainHandler(Function function, Self* self)
        : CommandHandler{command_of<T>,          name_of<T>(), describe<T>(),
                         describe<ReplyOf<T>>(), false,        gs::is_service<Who>},
          function_{function},
          self_{self} {}

    void run(Player& player, BytesView body, Buffer& reply) override { answer(who_is<Who>(player), body, reply); }
    Task<> serve(PlayerId from, BytesView body, Buffer& reply) override {
        if constexpr (gs::is_service<Who>) {
            answer(from, body, reply);
            return finished();
        } else {
            return CommandHandler::serve(from, body, reply);
        }
    }

private:
    void answer(Who who, BytesView body, Buffer& reply) {
        T request{};
        msgpack::decode_into(body, request).value();
        msgpack::encode_to(reply, (self_->*function_)(who, request));
    }
    static Task<> finished() { co_return; }

    Function function_;
    Self* self_;
};

template <class Self, Request T, class Who>
class CoroutineHandler final : public CommandHandler {
public:
    using Function = Task<ReplyOf<T>> (Self::*)(Who, T);
    CoroutineHandler(Function function, Self* self)
        : CommandHandler{command_of<T>, name_of<T>(), describe<T>(), describe<ReplyOf<T>>(), true, gs::is_service<Who>},
          function_{function},
          self_{self} {}

    Task<> start(Player& player, BytesView body, Buffer& reply) override {
        return begin(who_is<Who>(player), body, reply);
    }
    Task<> serve(PlayerId from, BytesView body, Buffer& reply) override {
        if constexpr (gs::is_service<Who>) {
            return begin(from, body, reply);
        } else {
            return CommandHandler::serve(from, body, reply);
        }
    }

private:
    Task<> begin(Who who, BytesView body, Buffer& reply) {
        T request{};
        msgpack::decode_into(body, request).value();
        return answer(who, std::move(request), reply);
    }
    Task<> answer(Who who, T request, Buffer& reply) {
        auto value = co_await call(who, std::move(request));
        msgpack::encode_to(reply, value);
    }
    // g++ 12 miscompiles a call through a pointer to member inside a co_await (docs/decisions.md).
    Task<ReplyOf<T>> call(Who who, T request) { return (self_->*function_)(who, std::move(request)); }

    Function function_;
    Self* self_;
};

}  // namespace gs
