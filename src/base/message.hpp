#pragma once
// Declares what a message is: its command number, its kind and what answers it. Write one line after the struct:
//   GS_REQUEST(1201, Say, SayOk)   a client asks, the server answers          (numbers 1000 and up)
//   GS_PUSH(1202, Said)            the server tells clients
//   GS_PART(1203, Take, Taken)     what another player does together with one (numbers 1000 and up)
//   GS_CALL(210, Open, Opened)     one role asks another; clients can never send it
//   GS_NOTE(211, Left)             one role tells another, no answer
#include <cstdint>
#include <string_view>

#include "base/fields.hpp"

namespace gs {

using Command = std::uint16_t;

/// Client commands below this belong to the server itself (enter, heartbeat ...); modules start here.
inline constexpr Command first_module_command = 1000;

enum class MessageKind : std::uint8_t { request, push, part, call, note };

/// The reply of a request that has nothing to say but that it was done.
struct Done {
    static constexpr std::string_view gs_field_list{};
    auto gs_fields() { return std::tuple<>{}; }
    auto gs_fields() const { return std::tuple<>{}; }
};

template <MessageKind Kind, Command Number, class ReplyType = void>
struct MessageInfo {
    static constexpr MessageKind kind = Kind;
    static constexpr Command command = Number;
    using Reply = ReplyType;
    std::string_view name;
};

// Found by argument-dependent lookup, so that a message may live in any namespace.
template <class T>
concept Message = requires(const T* message) {
    gs_message_info(message);
};

template <Message T>
using InfoOf = decltype(gs_message_info(static_cast<const T*>(nullptr)));
template <Message T>
using ReplyOf = typename InfoOf<T>::Reply;
template <Message T>
inline constexpr Command command_of = InfoOf<T>::command;
template <Message T>
constexpr std::string_view name_of() {
    return gs_message_info(static_cast<const T*>(nullptr)).name;
}

template <class T>
concept Request = Message<T> && InfoOf<T>::kind == MessageKind::request;
template <class T>
concept Push = Message<T> && InfoOf<T>::kind == MessageKind::push;
template <class T>
concept Part = Message<T> && InfoOf<T>::kind == MessageKind::part;
/// A push of which only the latest counts.
template <class T>
inline constexpr bool is_state = requires {
    requires T::state;
};
template <class T>
concept Call = Message<T> && InfoOf<T>::kind == MessageKind::call;
template <class T>
concept Note = Message<T> && InfoOf<T>::kind == MessageKind::note;

}  // namespace gs

#define GS_MESSAGE_INFO(kind, number, type, ...)                                                             \
    constexpr ::gs::MessageInfo<::gs::MessageKind::kind, number __VA_OPT__(, ) __VA_ARGS__> gs_message_info( \
        const type*) {                                                                                       \
        return {#type};                                                                                      \
    }
#define GS_REQUEST(number, type, reply)                                                                \
    static_assert((number) >= ::gs::first_module_command, "client commands of modules start at 1000"); \
    GS_MESSAGE_INFO(request, number, type, reply)
#define GS_PUSH(number, type)                                                                          \
    static_assert((number) >= ::gs::first_module_command, "client commands of modules start at 1000"); \
    GS_MESSAGE_INFO(push, number, type)
#define GS_PART(number, type, reply)                                                                   \
    static_assert((number) >= ::gs::first_module_command, "client commands of modules start at 1000"); \
    GS_MESSAGE_INFO(part, number, type, reply)
#define GS_CALL(number, type, reply) GS_MESSAGE_INFO(call, number, type, reply)
#define GS_NOTE(number, type) GS_MESSAGE_INFO(note, number, type)
