#pragma once
// How a typed handler of a module looks to the role that calls it: bytes in, bytes out.
#include <string_view>

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
                   bool waits)
        : command{number}, name{title}, request_type{request}, reply_type{reply}, is_coroutine{waits} {}
    virtual ~CommandHandler() = default;

    /// Plain handlers: appends the encoded reply. Throws Error.
    virtual void run(Player& player, BytesView body, Buffer& reply) = 0;
    /// Coroutines: the same; `body` is only read before this returns, `reply` outlives the task.
    [[nodiscard]] virtual Task<> start(Player& player, BytesView body, Buffer& reply) = 0;

    const Command command;
    const std::string_view name;
    const TypeDescription& request_type;
    const TypeDescription& reply_type;
    const bool is_coroutine;
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

template <class Self, Request T>
class PlainHandler final : public CommandHandler {
public:
    using Function = ReplyOf<T> (Self::*)(Player&, const T&);
    PlainHandler(Function function, Self* self)
        : CommandHandler{command_of<T>, name_of<T>(), describe<T>(), describe<ReplyOf<T>>(), false},
          function_{function},
          self_{self} {}

    void run(Player& player, BytesView body, Buffer& reply) override {
        T request{};
        msgpack::decode_into(body, request).value();
        msgpack::encode_to(reply, (self_->*function_)(player, request));
    }
    Task<> start(Player& player, BytesView body, Buffer& reply) override {
        run(player, body, reply);
        co_return;
    }

private:
    Function function_;
    Self* self_;
};

template <class Self, Request T>
class CoroutineHandler final : public CommandHandler {
public:
    using Function = Task<ReplyOf<T>> (Self::*)(Player&, T);
    CoroutineHandler(Function function, Self* self)
        : CommandHandler{command_of<T>, name_of<T>(), describe<T>(), describe<ReplyOf<T>>(), true},
          function_{function},
          self_{self} {}

    void run(Player& /*player*/, BytesView /*body*/, Buffer& /*reply*/) override {}
    Task<> start(Player& player, BytesView body, Buffer& reply) override {
        T request{};
        msgpack::decode_into(body, request).value();
        return answer(player, std::move(request), reply);
    }

private:
    Task<> answer(Player& player, T request, Buffer& reply) {
        auto value = co_await call(player, std::move(request));
        msgpack::encode_to(reply, value);
    }
    // g++ 12 miscompiles a call through a pointer to member inside a co_await (docs/decisions.md).
    Task<ReplyOf<T>> call(Player& player, T request) { return (self_->*function_)(player, std::move(request)); }

    Function function_;
    Self* self_;
};

}  // namespace gs
