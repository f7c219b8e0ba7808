#pragma once
// FIELDS(a, b, c) inside a struct describes it once: the wire encoding, the readable dump, the JSON of the database and
// of HTTP, and the schema for clients all follow from it. Append only: a missing tail takes the members' defaults.
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>

namespace gs {

/// "a, b, c" cut into names at compile time.
template <std::size_t Count>
constexpr std::array<std::string_view, Count> split_names(std::string_view list) {
    std::array<std::string_view, Count> names{};
    std::size_t index = 0;
    while (index < Count) {
        const auto comma = list.find(',');
        auto name = list.substr(0, comma);
        while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
        while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
        names[index++] = name;
        if (comma == std::string_view::npos) break;
        list.remove_prefix(comma + 1);
    }
    return names;
}

template <class T>
concept HasFields = requires(T& value) {
    value.gs_fields();
    T::gs_field_list;
};

template <HasFields T>
inline constexpr std::size_t field_count = std::tuple_size_v<decltype(std::declval<T&>().gs_fields())>;

template <HasFields T>
inline constexpr auto field_names = split_names<field_count<T>>(T::gs_field_list);

/// A struct with `static constexpr bool secret = true`: it is never in a log and never compressed.
template <class T>
inline constexpr bool is_secret = [] {
    if constexpr (requires { bool{T::secret}; }) {
        return bool{T::secret};
    } else {
        return false;
    }
}();

}  // namespace gs

#define FIELDS(...)                                                \
    static constexpr std::string_view gs_field_list{#__VA_ARGS__}; \
    auto gs_fields() { return std::tie(__VA_ARGS__); }             \
    auto gs_fields() const { return std::tie(__VA_ARGS__); }
