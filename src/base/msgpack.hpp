#pragma once
// Typed msgpack: a struct with FIELDS is an array in field order. Reading is a cursor over the bytes: no object tree,
// no allocation but the values' own, and every count is checked against the bytes that are really there. Source:
// github.com/msgpack/msgpack/blob/master/spec.md. Errors: Code::invalid, with the byte offset.
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"
#include "base/fields.hpp"
#include "base/result.hpp"

namespace gs::msgpack {

class Writer {
public:
    explicit Writer(Buffer& out) : out_{out} {}
    void nil() { out_.push_back(0xc0); }
    void boolean(bool value) { out_.push_back(value ? 0xc3 : 0xc2); }
    void unsigned_integer(std::uint64_t value);
    void integer(std::int64_t value);
    void real(double value);
    void text(std::string_view value);
    void binary(BytesView value);
    void array(std::size_t count);
    void map(std::size_t count);

private:
    template <class Raw>
    void tagged(std::uint8_t tag, Raw value);
    Buffer& out_;
};

enum class Kind : std::uint8_t { nil, boolean, integer, real, text, binary, array, map, extension, end };

/// After the first failure every read returns a zero value; ask `failed()` once at the end.
class Reader {
public:
    explicit Reader(BytesView bytes) : bytes_{bytes} {}

    [[nodiscard]] Kind peek() const;
    [[nodiscard]] bool at_end() const { return position_ == bytes_.size(); }
    [[nodiscard]] std::size_t position() const { return position_; }
    [[nodiscard]] bool failed() const { return reason_ != nullptr; }
    [[nodiscard]] Error error() const;
    void fail(const char* reason) {
        if (reason_ == nullptr) reason_ = reason;
    }

    void nil();
    bool boolean();
    std::uint64_t unsigned_integer(std::uint64_t most);
    std::int64_t integer(std::int64_t least, std::int64_t most);
    double real();
    std::string_view text();  ///< checked to be UTF-8; a view into the input
    BytesView binary();
    std::size_t array();
    std::size_t map();
    void skip();  ///< one value of any shape, whatever its nesting

private:
    friend class Nesting;
    BytesView take(std::size_t count) {
        if (failed() || bytes_.size() - position_ < count) {
            fail("it ends in the middle of a value");
            return {};
        }
        position_ += count;
        return bytes_.subspan(position_ - count, count);
    }
    template <class Raw>
    Raw big_endian();
    std::uint8_t tag() {
        const auto one = take(1);
        return one.empty() ? std::uint8_t{0} : one[0];
    }
    std::size_t count(std::size_t items, std::size_t bytes_each);

    BytesView bytes_;
    std::size_t position_ = 0;
    const char* reason_ = nullptr;
    std::size_t depth_ = 0;
};

/// Held while a struct is read: a type that contains itself may not use up the stack.
class Nesting {
public:
    static constexpr std::size_t depth_max = 64;

    explicit Nesting(Reader& reader) : reader_{reader} {
        if (++reader_.depth_ > depth_max) reader_.fail("values are nested too deep");
    }
    ~Nesting() { --reader_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

private:
    Reader& reader_;
};

template <class T>
void write(Writer& writer, const T& value);
template <class T>
void read(Reader& reader, T& value);

namespace detail {
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class K, class V>
struct IsMap<std::map<K, V>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class>
inline constexpr bool unsupported = false;
}  // namespace detail

template <class T>
void write(Writer& writer, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        writer.boolean(value);
    } else if constexpr (std::is_enum_v<T>) {
        write(writer, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
        writer.integer(value);
    } else if constexpr (std::is_integral_v<T>) {
        writer.unsigned_integer(value);
    } else if constexpr (std::is_floating_point_v<T>) {
        writer.real(value);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
        writer.text(value);
    } else if constexpr (std::is_same_v<T, Binary> || std::is_same_v<T, BytesView> || std::is_same_v<T, SharedBytes>) {
        writer.binary(value);
    } else if constexpr (detail::IsOptional<T>::value) {
        value ? write(writer, *value) : writer.nil();
    } else if constexpr (detail::IsVector<T>::value) {
        writer.array(value.size());
        for (const auto& item : value) write(writer, item);
    } else if constexpr (detail::IsMap<T>::value) {
        writer.map(value.size());
        for (const auto& [key, item] : value) {
            write(writer, key);
            write(writer, item);
        }
    } else if constexpr (HasFields<T>) {
        writer.array(field_count<T>);
        std::apply([&](const auto&... field) { (write(writer, field), ...); }, value.gs_fields());
    } else {
        static_assert(detail::unsupported<T>, "this type cannot be a message field: give it FIELDS(...)");
    }
}

template <class T>
void read(Reader& reader, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        value = reader.boolean();
    } else if constexpr (std::is_enum_v<T>) {
        std::underlying_type_t<T> raw{};
        read(reader, raw);
        value = static_cast<T>(raw);
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
        value = static_cast<T>(reader.integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    } else if constexpr (std::is_integral_v<T>) {
        value = static_cast<T>(reader.unsigned_integer(std::numeric_limits<T>::max()));
    } else if constexpr (std::is_floating_point_v<T>) {
        value = static_cast<T>(reader.real());
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
        value = reader.text();
    } else if constexpr (std::is_same_v<T, Binary>) {
        const auto bytes = reader.binary();
        value.assign(bytes.begin(), bytes.end());
    } else if constexpr (std::is_same_v<T, BytesView>) {
        value = reader.binary();
    } else if constexpr (std::is_same_v<T, SharedBytes>) {
        value = SharedBytes{reader.binary()};
    } else if constexpr (detail::IsOptional<T>::value) {
        if (reader.peek() == Kind::nil) {
            reader.nil();
            value.reset();
        } else {
            read(reader, value.emplace());
        }
    } else if constexpr (detail::IsVector<T>::value) {
        value.clear();
        for (auto left = reader.array(); left > 0 && !reader.failed(); --left) read(reader, value.emplace_back());
    } else if constexpr (detail::IsMap<T>::value) {
        value.clear();
        for (auto left = reader.map(); left > 0 && !reader.failed(); --left) {
            typename T::key_type key{};
            read(reader, key);
            read(reader, value[std::move(key)]);
        }
    } else if constexpr (HasFields<T>) {
        const Nesting nesting{reader};
        auto left = reader.array();
        const auto next = [&](auto& field) {
            if (left == 0 || reader.failed()) return;
            --left;
            read(reader, field);
        };
        std::apply([&](auto&... field) { (next(field), ...); }, value.gs_fields());
        for (; left > 0 && !reader.failed(); --left) reader.skip();  // fields of a newer version
    } else {
        static_assert(detail::unsupported<T>, "this type cannot be a message field: give it FIELDS(...)");
    }
}

template <class T>
void encode_to(Buffer& out, const T& value) {
    Writer writer{out};
    write(writer, value);
}

template <class T>
[[nodiscard]] Binary encode(const T& value) {
    Buffer out;
    encode_to(out, value);
    return {out.view().begin(), out.view().end()};
}

template <class T>
[[nodiscard]] Result<void> decode_into(BytesView bytes, T& value) {
    Reader reader{bytes};
    read(reader, value);
    if (!reader.failed() && !reader.at_end()) reader.fail("there are bytes after the value");
    if (reader.failed()) return reader.error();
    return {};
}

template <class T>
[[nodiscard]] Result<T> decode(BytesView bytes) {
    T value{};
    auto done = decode_into(bytes, value);
    if (!done) return done.error();
    return value;
}

}  // namespace gs::msgpack
