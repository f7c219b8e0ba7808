#include "base/describe.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "base/crypto/crypto.hpp"
#include "base/escape.hpp"

namespace gs {

namespace {

using Kind = TypeDescription::Kind;
using msgpack::Reader;
using msgpack::Writer;
using nlohmann::json;

// Integers travel as 64 bits plus a sign, because neither signed nor unsigned alone holds every field's range.
void append_integer(std::string& out, const TypeDescription& type, Reader& reader) {
    if (type.least < 0) {
        fmt::format_to(std::back_inserter(out), "{}", reader.integer(type.least, static_cast<std::int64_t>(type.most)));
    } else {
        fmt::format_to(std::back_inserter(out), "{}", reader.unsigned_integer(type.most));
    }
}

void append_real(std::string& out, double value) {
    if (value == 0 && std::signbit(value)) {
        out += "-0.0";  // "-0" would be read back as a whole number, which has no sign
        return;
    }
    std::array<char, 32> text;
    out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

class JsonWriter {
public:
    JsonWriter(Reader& reader, std::string& out) : reader_{reader}, out_{out} {}

    void value(const TypeDescription& type) {
        switch (type.kind) {
            case Kind::boolean:
                out_ += reader_.boolean() ? "true" : "false";
                break;
            case Kind::integer:
                append_integer(out_, type, reader_);
                break;
            case Kind::real:
                real(reader_.real());
                break;
            case Kind::text:
                append_json_text(out_, reader_.text());
                break;
            case Kind::binary:
                out_ += '"';
                out_ += base64_encode(reader_.binary());
                out_ += '"';
                break;
            case Kind::optional:
                optional(*type.element);
                break;
            case Kind::list:
                list(*type.element);
                break;
            case Kind::map:
                map(type);
                break;
            case Kind::structure:
                structure(type);
                break;
        }
    }

private:
    void real(double number) {
        if (std::isfinite(number)) {
            append_real(out_, number);
        } else {
            out_ += "null";
        }
    }

    void optional(const TypeDescription& element) {
        if (reader_.peek() != msgpack::Kind::nil) return value(element);
        reader_.nil();
        out_ += "null";
    }

    void list(const TypeDescription& element) {
        out_ += '[';
        const auto count = reader_.array();
        for (std::size_t index = 0; index < count && !reader_.failed(); ++index) {
            if (index > 0) out_ += ',';
            value(element);
        }
        out_ += ']';
    }

    void map(const TypeDescription& type) {
        out_ += '{';
        const auto count = reader_.map();
        for (std::size_t index = 0; index < count && !reader_.failed(); ++index) {
            if (index > 0) out_ += ',';
            if (type.key->kind == Kind::text) {
                append_json_text(out_, reader_.text());
            } else {
                out_ += '"';
                append_integer(out_, *type.key, reader_);
                out_ += '"';
            }
            out_ += ':';
            value(*type.element);
        }
        out_ += '}';
    }

    void structure(const TypeDescription& type) {
        const msgpack::Nesting nesting{reader_};
        out_ += '{';
        const auto count = reader_.array();
        for (std::size_t index = 0; index < count && !reader_.failed(); ++index) {
            if (index >= type.fields.size()) {
                reader_.skip();
                continue;
            }
            const auto& field = type.fields[index];
            if (index > 0) out_ += ',';
            out_ += '"';
            out_ += field.name;
            out_ += "\":";
            value(*field.type);
        }
        out_ += '}';
    }

    Reader& reader_;
    std::string& out_;
};

class Dumper {
public:
    Dumper(Reader& reader, std::size_t bytes_max) : reader_{reader}, bytes_max_{bytes_max} {}

    void value(const TypeDescription& type) {
        if (enough()) return;
        switch (type.kind) {
            case Kind::boolean:
                out_ += reader_.boolean() ? "true" : "false";
                break;
            case Kind::integer:
                append_integer(out_, type, reader_);
                break;
            case Kind::real:
                append_real(out_, reader_.real());
                break;
            case Kind::text:
                text();
                break;
            case Kind::binary:
                fmt::format_to(std::back_inserter(out_), "<{} bytes>", reader_.binary().size());
                break;
            case Kind::optional:
                optional(*type.element);
                break;
            case Kind::list:
                list(*type.element);
                break;
            case Kind::map:
                map(type);
                break;
            case Kind::structure:
                structure(type);
                break;
        }
    }

    std::string finish() {
        if (reader_.failed()) out_ += " <broken: " + reader_.error().message() + ">";
        if (out_.size() > bytes_max_) {
            constexpr std::string_view mark = "…";
            if (bytes_max_ < mark.size()) return {};
            out_.resize(utf8_prefix(out_, bytes_max_ - mark.size()).size());
            out_ += mark;
        }
        return std::move(out_);
    }

private:
    static constexpr std::size_t text_bytes_max = 48;

    [[nodiscard]] bool enough() const { return reader_.failed() || out_.size() > bytes_max_; }

    void text() {
        const auto all = reader_.text();
        const auto shown = utf8_prefix(all, text_bytes_max);
        out_ += '"';
        append_printable(out_, shown, "\"\\");
        if (shown.size() < all.size()) out_ += "…";
        out_ += '"';
    }

    void optional(const TypeDescription& element) {
        if (reader_.peek() != msgpack::Kind::nil) return value(element);
        reader_.nil();
        out_ += "none";
    }

    void list(const TypeDescription& element) {
        out_ += '[';
        const auto count = reader_.array();
        for (std::size_t index = 0; index < count && !enough(); ++index) {
            if (index > 0) out_ += ", ";
            value(element);
        }
        out_ += ']';
    }

    void map(const TypeDescription& type) {
        out_ += '{';
        const auto count = reader_.map();
        for (std::size_t index = 0; index < count && !enough(); ++index) {
            if (index > 0) out_ += ", ";
            value(*type.key);
            out_ += ": ";
            value(*type.element);
        }
        out_ += '}';
    }

    void structure(const TypeDescription& type) {
        const msgpack::Nesting nesting{reader_};
        out_ += type.name;
        if (type.secret) {
            out_ += "{…}";
            reader_.skip();
            return;
        }
        out_ += '{';
        const auto count = reader_.array();
        for (std::size_t index = 0; index < count && !enough(); ++index) {
            if (index >= type.fields.size()) {
                reader_.skip();
                continue;
            }
            if (index > 0) out_ += ", ";
            out_ += type.fields[index].name;
            out_ += '=';
            value(*type.fields[index].type);
        }
        out_ += '}';
    }

    Reader& reader_;
    std::size_t bytes_max_;
    std::string out_;
};

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
        return json::parse(text);
    } catch (const json::exception& problem) {
        std::string_view reason = problem.what();  // "[json.exception.parse_error.101] parse error at line 1, ..."
        if (const auto end = reason.find("] "); end != std::string_view::npos) reason.remove_prefix(end + 2);
        std::string shown;
        append_printable(shown, utf8_prefix(reason, 300));
        throw Error{Code::invalid, "not JSON: {}", shown};
    }
}

}  // namespace

Result<std::string> to_json(const TypeDescription& type, BytesView msgpack) {
    Reader reader{msgpack};
    std::string out;
    JsonWriter{reader, out}.value(type);
    if (!reader.failed() && !reader.at_end()) reader.fail("there are bytes after the value");
    if (reader.failed()) return reader.error();
    return out;
}

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

std::string dump(const TypeDescription& type, BytesView msgpack, std::size_t bytes_max) {
    Reader reader{msgpack};
    Dumper dumper{reader, bytes_max};
    dumper.value(type);
    return dumper.finish();
}

}  // namespace gs
