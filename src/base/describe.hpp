#pragma once
// What FIELDS says about a type, readable at run time: turns its msgpack into JSON (database, HTTP) and into one line
// for the log, and JSON back into msgpack, without a template per type.
// Owner: descriptions are constants. Errors: Code::invalid with the path of the field.
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/msgpack.hpp"

namespace gs {

struct TypeDescription;

struct FieldDescription {
    std::string_view name;
    const TypeDescription* type;
};

struct TypeDescription {
    enum class Kind : std::uint8_t { boolean, integer, real, text, binary, optional, list, map, structure };

    Kind kind{};
    std::string_view name;                       ///< of a structure; otherwise a word for people
    std::int64_t least = 0;                      ///< integer
    std::uint64_t most = 0;                      ///< integer
    bool single = false;                         ///< real: holds only what fits a float
    const TypeDescription* element = nullptr;    ///< of optional, list, map
    const TypeDescription* key = nullptr;        ///< of map: text or integer
    std::span<const FieldDescription> fields{};  ///< of structure
    /// Encodes what a field holds in a value that was just made; for members that JSON leaves out.
    void (*write_default)(std::size_t field, msgpack::Writer& writer) = nullptr;
    bool secret = false;  ///< the structure has `static constexpr bool secret = true`: never in a log
};

/// lenient: unknown members are ignored and null is a number that is none (database). strict: both are errors (HTTP).
enum class Strictness : std::uint8_t { lenient, strict };

inline constexpr std::size_t json_bytes_max = 16U << 20U;
inline constexpr std::size_t json_depth_max = 256;  // structures nest to 64 deep, with lists and maps between

/// Structures become objects, binary base64, numbers that JSON does not have null. Fields of a newer version are lost.
[[nodiscard]] Result<std::string> to_json(const TypeDescription& type, BytesView msgpack);
/// The msgpack of a complete value: missing members have their defaults.
[[nodiscard]] Result<Binary> from_json(const TypeDescription& type, std::string_view json,
                                       Strictness strictness = Strictness::lenient);
/// `Say{channel="world", text="hi"}`: one printable line of at most `bytes_max` bytes; never fails.
[[nodiscard]] std::string dump(const TypeDescription& type, BytesView msgpack, std::size_t bytes_max = 256);

namespace detail {

template <class T>
constexpr std::string_view type_name() {
    std::string_view text = __PRETTY_FUNCTION__;  // "... [with T = gs::chat::Say; ...]" or "... [T = gs::chat::Say]"
    text.remove_prefix(text.find("T = ") + 4);
    text = text.substr(0, text.find_first_of(";]<"));
    const auto scope = text.rfind("::");
    return scope == std::string_view::npos ? text : text.substr(scope + 2);
}

template <class T>
constexpr TypeDescription make_description();
template <class T>
inline constexpr TypeDescription description = make_description<T>();

template <class T, std::size_t... Index>
constexpr auto make_fields(std::index_sequence<Index...> /*all*/) {
    using Fields = decltype(std::declval<T&>().gs_fields());
    return std::array<FieldDescription, sizeof...(Index)>{FieldDescription{
        field_names<T>[Index], &description<std::remove_cvref_t<std::tuple_element_t<Index, Fields>>>}...};
}
template <class T>
inline constexpr auto fields = make_fields<T>(std::make_index_sequence<field_count<T>>{});

template <class T>
void write_default(std::size_t field, msgpack::Writer& writer) {
    const T value{};
    std::size_t index = 0;
    std::apply([&](const auto&... member) { ((index++ == field ? msgpack::write(writer, member) : void()), ...); },
               value.gs_fields());
}

template <class T>
constexpr TypeDescription make_description() {
    using Kind = TypeDescription::Kind;
    if constexpr (std::is_same_v<T, bool>) {
        return {.kind = Kind::boolean, .name = "true or false"};
    } else if constexpr (std::is_enum_v<T>) {
        return make_description<std::underlying_type_t<T>>();
    } else if constexpr (std::is_integral_v<T>) {
        using Limits = std::numeric_limits<T>;
        return {.kind = Kind::integer,
                .name = "a whole number",
                .least = static_cast<std::int64_t>(Limits::min()),
                .most = static_cast<std::uint64_t>(Limits::max())};
    } else if constexpr (std::is_floating_point_v<T>) {
        return {.kind = Kind::real, .name = "a number", .single = std::is_same_v<T, float>};
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
        return {.kind = Kind::text, .name = "text"};
    } else if constexpr (std::is_same_v<T, Binary> || std::is_same_v<T, BytesView> || std::is_same_v<T, SharedBytes>) {
        return {.kind = Kind::binary, .name = "base64 text"};
    } else if constexpr (msgpack::detail::IsOptional<T>::value) {
        return {.kind = Kind::optional, .name = "optional", .element = &description<typename T::value_type>};
    } else if constexpr (msgpack::detail::IsVector<T>::value) {
        return {.kind = Kind::list, .name = "a list", .element = &description<typename T::value_type>};
    } else if constexpr (msgpack::detail::IsMap<T>::value) {
        using Key = typename T::key_type;
        static_assert(std::is_same_v<Key, std::string> || std::is_integral_v<Key> || std::is_enum_v<Key>,
                      "map keys must be text or whole numbers, as JSON keys can hold nothing else");
        return {.kind = Kind::map,
                .name = "an object",
                .element = &description<typename T::mapped_type>,
                .key = &description<Key>};
    } else {
        static_assert(HasFields<T>, "this type cannot be a message field: give it FIELDS(...)");
        return {.kind = Kind::structure,
                .name = type_name<T>(),
                .fields = {fields<T>.data(), field_count<T>},
                .write_default = &write_default<T>,
                .secret = is_secret<T>};
    }
}

}  // namespace detail

template <class T>
[[nodiscard]] constexpr const TypeDescription& describe() {
    return detail::description<T>;
}

/// Errors: throws Code::invalid when a text in `value` is not UTF-8.
template <HasFields T>
[[nodiscard]] std::string to_json(const T& value) {
    Buffer bytes;
    msgpack::encode_to(bytes, value);
    return to_json(describe<T>(), bytes).value();
}

template <HasFields T>
[[nodiscard]] Result<T> from_json(std::string_view json, Strictness strictness = Strictness::lenient) {
    const auto bytes = from_json(describe<T>(), json, strictness);
    if (!bytes) return bytes.error();
    return msgpack::decode<T>(*bytes);
}

template <HasFields T>
[[nodiscard]] std::string dump(const T& value, std::size_t bytes_max = 256) {
    Buffer bytes;
    msgpack::encode_to(bytes, value);
    return dump(describe<T>(), bytes, bytes_max);
}

}  // namespace gs
