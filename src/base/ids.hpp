#pragma once
// Identifiers as distinct types: a player cannot be passed where a node is meant. All are integers on the wire.
#include <compare>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "base/fields.hpp"

namespace gs {

enum class PlayerId : std::uint64_t {};
/// One run of one process: made at start, never reused, so a message for it never reaches a later run.
enum class Incarnation : std::uint64_t {};
/// Raised by storage each time an entity gets an owner; storage refuses writes of older ones.
enum class OwnerEpoch : std::uint64_t {};
/// Raised by the center at each attach of a player; everyone refuses messages of older ones.
enum class ConnectionEpoch : std::uint64_t {};

enum class Role : std::uint8_t { gateway = 0, login = 1, center = 2, game = 3, storage = 4 };
inline constexpr std::size_t role_count = 5;
[[nodiscard]] std::string_view to_string(Role role);

/// A role of one run of one node: where the bus delivers.
struct RoleAddress {
    Incarnation node{};
    Role role{};
    auto operator<=>(const RoleAddress&) const = default;
    FIELDS(node, role)
};

/// What an entity is called in every node, log and table: kind and id.
struct EntityKey {
    std::string kind;
    std::uint64_t id = 0;
    auto operator<=>(const EntityKey&) const = default;
    FIELDS(kind, id)
};

template <class T>
concept IntegerId = std::is_enum_v<T>;

}  // namespace gs

namespace gs::detail {

/// What is written with "{}" and nothing in the braces. The text is made in ids.cpp: fmt's own formatters, used as a
/// base, would be compiled again in every file that includes this one.
struct PlainFormatter {
    static constexpr auto parse(const fmt::format_parse_context& context) { return context.begin(); }
};
fmt::appender format_number(fmt::appender out, std::uint64_t number);

}  // namespace gs::detail

template <gs::IntegerId T>
requires std::is_same_v<T, gs::PlayerId> || std::is_same_v<T, gs::Incarnation> || std::is_same_v<T, gs::OwnerEpoch> ||
    std::is_same_v<T, gs::ConnectionEpoch>
struct fmt::formatter<T> : gs::detail::PlainFormatter {
    static auto format(T id, format_context& context) {
        return gs::detail::format_number(context.out(), static_cast<std::uint64_t>(id));
    }
};
template <>
struct fmt::formatter<gs::Role> : gs::detail::PlainFormatter {
    static format_context::iterator format(gs::Role role, format_context& context);
};
template <>
struct fmt::formatter<gs::EntityKey> : gs::detail::PlainFormatter {
    static format_context::iterator format(const gs::EntityKey& key, format_context& context);
};
template <>
struct fmt::formatter<gs::RoleAddress> : gs::detail::PlainFormatter {
    static format_context::iterator format(const gs::RoleAddress& address, format_context& context);
};
