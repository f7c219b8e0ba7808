#include "base/describe.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/json_tree.hpp"

#include "base/crypto/crypto.hpp"
#include "base/escape.hpp"

namespace gs {

namespace {

using Kind = TypeDescription::Kind;
using msgpack::Writer;
using nlohmann::json;

std::string_view name_of(const json& value) {
    switch (value.type()) {
        case json::value_t::null:
            return "null";
        case json::value_t::object:
            return "an object";
        case json::value_t::array:
            return "a list";
        case json::value_t::string:
            return "text";
        case json::value_t::boolean:
            return "true or false";
        case json::value_t::number_float:
            return "a number with a fraction";
        default:
            return "a number";
    }
}

std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t left = 0; left < from.size(); ++left) {
        auto diagonal = std::exchange(row[0], left + 1);
        for (std::size_t right = 0; right < to.size(); ++right) {
            const auto replaced = diagonal + (from[left] == to[right] ? 0 : 1);
            diagonal = row[right + 1];
            row[right + 1] = std::min({replaced, diagonal + 1, row[right] + 1});
        }
    }
    return row.back();
}

/// ` (did you mean "name"?)` or the list of what exists.
std::string hint(const TypeDescription& type, std::string_view unknown) {
    std::string known;
    const FieldDescription* nearest = nullptr;
    std::size_t least = 3;
    for (const auto& field : type.fields) {
        known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", field.name);
        if (unknown.size() > 64) continue;
        const auto distance = edit_distance(unknown, field.name);
        if (distance >= least || distance >= field.name.size()) continue;
        least = distance;
        nearest = &field;
    }
    if (nearest != nullptr) return fmt::format("did you mean \"{}\"?", nearest->name);
    return known.empty() ? "there are no fields here" : "known are " + known;
}

class JsonReader {
public:
    JsonReader(Writer& writer, Strictness strictness) : writer_{writer}, strictness_{strictness} {}

    /// Errors: throws Error.
    void value(const TypeDescription& type, const json& from) {
        switch (type.kind) {
            case Kind::boolean:
                if (!from.is_boolean()) wrong(type, from);
                writer_.boolean(from.get<bool>());
                break;
            case Kind::integer:
                integer(type, from);
                break;
            case Kind::real:
                real(type, from);
                break;
            case Kind::text:
                if (!from.is_string()) wrong(type, from);
                writer_.text(from.get_ref<const std::string&>());
                break;
            case Kind::binary:
                binary(type, from);
                break;
            case Kind::optional:
                from.is_null() ? writer_.nil() : value(*type.element, from);
                break;
            case Kind::list:
                list(type, from);
                break;
            case Kind::map:
                map(type, from);
                break;
            case Kind::structure:
                structure(type, from);
                break;
        }
    }

private:
    [[nodiscard]] std::string where() const { return path_.empty() ? "the value" : "field \"" + path_ + "\""; }

    [[noreturn]] void wrong(const TypeDescription& type, const json& from) const {
        const auto wanted = type.kind == Kind::structure ? "an object" : type.name;
        throw Error{Code::invalid, "{} must be {}, not {}", where(), wanted, name_of(from)};
    }
    [[noreturn]] void outside(const TypeDescription& type, std::string_view got) const {
        throw Error{Code::invalid, "{} must be from {} to {}, not {}", where(), type.least, type.most, got};
    }

    /// The path grows for as long as this lives.
    class Step {
    public:
        Step(JsonReader& reader, std::string_view name) : reader_{reader}, before_{reader.path_.size()} {
            if (before_ > 0) reader_.path_ += '.';
            append_printable(reader_.path_, utf8_prefix(name, 64));
        }
        Step(JsonReader& reader, std::size_t index) : reader_{reader}, before_{reader.path_.size()} {
            fmt::format_to(std::back_inserter(reader_.path_), "[{}]", index);
        }
        Step(const Step&) = delete;
        Step& operator=(const Step&) = delete;
        ~Step() { reader_.path_.resize(before_); }

    private:
        JsonReader& reader_;
        std::size_t before_;
    };

    void integer(const TypeDescription& type, const json& from) {
        if (from.is_number_unsigned()) {
            const auto got = from.get<std::uint64_t>();
            if (got > type.most) outside(type, from.dump());
            writer_.unsigned_integer(got);
        } else if (from.is_number_integer()) {
            const auto got = from.get<std::int64_t>();
            if (got < type.least) outside(type, from.dump());
            writer_.integer(got);
        } else if (from.is_number_float() && std::abs(from.get<double>()) >= 0x1p63) {
            outside(type, from.dump());  // more digits than any integer has
        } else {
            wrong(type, from);
        }
    }

    void real(const TypeDescription& type, const json& from) {
        if (from.is_null() && strictness_ == Strictness::lenient) {
            writer_.real(std::numeric_limits<double>::quiet_NaN());  // what to_json writes for it
            return;
        }
        if (!from.is_number()) wrong(type, from);
        const auto got = from.get<double>();
        if (type.single && std::abs(got) > std::numeric_limits<float>::max()) {
            throw Error{Code::invalid, "{} must be at most {:.3g}, not {}", where(), std::numeric_limits<float>::max(),
                        from.dump()};
        }
        writer_.real(got);
    }

    void binary(const TypeDescription& type, const json& from) {
        if (!from.is_string()) wrong(type, from);
        const auto& text = from.get_ref<const std::string&>();
        const auto bytes = base64_decode(text);
        if (!bytes) throw Error{Code::invalid, "{} must be base64 text (A-Z a-z 0-9 + / with = at the end)", where()};
        writer_.binary(*bytes);
    }

    void list(const TypeDescription& type, const json& from) {
        if (!from.is_array()) wrong(type, from);
        writer_.array(from.size());
        for (std::size_t index = 0; index < from.size(); ++index) {
            const Step step{*this, index};
            value(*type.element, from[index]);
        }
    }

    void map(const TypeDescription& type, const json& from) {
        if (!from.is_object()) wrong(type, from);
        writer_.map(from.size());
        for (const auto& [name, item] : from.items()) {
            const Step step{*this, name};
            key(*type.key, name);
            value(*type.element, item);
        }
    }

    void key(const TypeDescription& type, const std::string& name) {
        if (type.kind == Kind::text) return writer_.text(name);
        const auto parse = [&](auto number) {
            const auto* end = name.data() + name.size();
            const auto [at, problem] = std::from_chars(name.data(), end, number);
            if (problem == std::errc::invalid_argument || at != end) {
                throw Error{Code::invalid, "{}: the key must be a whole number", where()};
            }
            if (problem != std::errc{} || std::cmp_less(number, type.least) || std::cmp_greater(number, type.most)) {
                throw Error{Code::invalid, "{}: the key must be from {} to {}", where(), type.least, type.most};
            }
            return number;
        };
        type.least < 0 ? writer_.integer(parse(std::int64_t{})) : writer_.unsigned_integer(parse(std::uint64_t{}));
    }

    void structure(const TypeDescription& type, const json& from) {
        if (!from.is_object()) wrong(type, from);
        writer_.array(type.fields.size());
        std::size_t known = 0;
        for (std::size_t index = 0; index < type.fields.size(); ++index) {
            const auto& field = type.fields[index];
            const auto at = from.find(field.name);
            if (at == from.end()) {
                type.write_default(index, writer_);
                continue;
            }
            ++known;
            const Step step{*this, field.name};
            value(*field.type, *at);
        }
        if (strictness_ == Strictness::strict && known < from.size()) refuse_unknown(type, from);
    }

    void refuse_unknown(const TypeDescription& type, const json& from) {
        for (const auto& [name, item] : from.items()) {
            const auto is_it = [&name = name](const auto& field) { return field.name == name; };
            if (std::any_of(type.fields.begin(), type.fields.end(), is_it)) continue;
            const Step step{*this, name};
            throw Error{Code::invalid, "{} is unknown; {}", where(), hint(type, name)};
        }
    }

    Writer& writer_;
    Strictness strictness_;
    std::string path_;
};

/// Counted before parsing, so that no tree of hostile depth is ever built.
std::size_t depth_of(std::string_view text) {
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char here = text[at];
        if (quoted) {
            if (here == '\\') ++at;
            if (here == '"') quoted = false;
        } else if (here == '"') {
            quoted = true;
        } else if (here == '[' || here == '{') {
            deepest = std::max(deepest, ++depth);
        } else if ((here == ']' || here == '}') && depth > 0) {
            --depth;
        }
    }
    return deepest;
}

json parse(std::string_view text) {
    if (text.size() > json_bytes_max) {
        throw Error{Code::invalid, "JSON of {} bytes is too long; at most {} are read", text.size(), json_bytes_max};
    }
    if (depth_of(text) > json_depth_max) {
        throw Error{Code::invalid, "JSON is nested too deep; at most {} levels are read", json_depth_max};
    }
    try {
        return parse_json(text);
    } catch (const json::exception& problem) {
        std::string_view reason = problem.what();  // "[json.exception.parse_error.101] parse error at line 1, ..."
        if (const auto end = reason.find("] "); end != std::string_view::npos) reason.remove_prefix(end + 2);
        std::string shown;
        append_printable(shown, utf8_prefix(reason, 300));
        throw Error{Code::invalid, "not JSON: {}", shown};
    }
}

}  // namespace

Result<Binary> from_json(const TypeDescription& type, std::string_view json, Strictness strictness) {
    try {
        Buffer out;
        Writer writer{out};
        JsonReader{writer, strictness}.value(type, parse(json));
        return Binary{out.view().begin(), out.view().end()};
    } catch (const Error& error) {
        return error;
    }
}

}  // namespace gs
