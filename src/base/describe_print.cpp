// JSON and the line for the log: one way through a value, two looks.
#include "base/describe.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "base/crypto/crypto.hpp"
#include "base/escape.hpp"

namespace gs {

namespace {

using Kind = TypeDescription::Kind;
using msgpack::Reader;

/// Goes through the value; what derives from it says how the parts look and when enough is written.
class Printer {
public:
    Printer(const Printer&) = delete;
    Printer& operator=(const Printer&) = delete;

    void value(const TypeDescription& type) {
        if (enough()) return;
        switch (type.kind) {
            case Kind::boolean:
                out_ += reader_.boolean() ? "true" : "false";
                break;
            case Kind::integer:
                integer(type);
                break;
            case Kind::real:
                real(reader_.real());
                break;
            case Kind::text:
                text(reader_.text());
                break;
            case Kind::binary:
                binary(reader_.binary());
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

protected:
    Printer(Reader& reader, std::string_view comma, std::string_view none)
        : reader_{reader}, comma_{comma}, none_{none} {}
    ~Printer() = default;

    [[nodiscard]] virtual bool enough() const { return reader_.failed(); }
    virtual void real(double number);
    virtual void text(std::string_view text) = 0;
    virtual void binary(BytesView bytes) = 0;
    /// The key of a map and what separates it from its value.
    virtual void key(const TypeDescription& type) = 0;
    /// What stands before the fields, the bracket included; false when they are not to be seen.
    virtual bool open(const TypeDescription& structure) = 0;
    virtual void field_name(std::string_view name) = 0;

    // Integers travel as 64 bits plus a sign, because neither signed nor unsigned alone holds every field's range.
    void integer(const TypeDescription& type) {
        if (type.least < 0) {
            fmt::format_to(std::back_inserter(out_), "{}",
                           reader_.integer(type.least, static_cast<std::int64_t>(type.most)));
        } else {
            fmt::format_to(std::back_inserter(out_), "{}", reader_.unsigned_integer(type.most));
        }
    }

    Reader& reader_;
    std::string out_;

private:
    void optional(const TypeDescription& element) {
        if (reader_.peek() != msgpack::Kind::nil) return value(element);
        reader_.nil();
        out_ += none_;
    }

    void list(const TypeDescription& element) {
        out_ += '[';
        const auto count = reader_.array();
        for (std::size_t index = 0; index < count && !enough(); ++index) {
            if (index > 0) out_ += comma_;
            value(element);
        }
        out_ += ']';
    }

    void map(const TypeDescription& type) {
        out_ += '{';
        const auto count = reader_.map();
        for (std::size_t index = 0; index < count && !enough(); ++index) {
            if (index > 0) out_ += comma_;
            key(*type.key);
            value(*type.element);
        }
        out_ += '}';
    }

    void structure(const TypeDescription& type) {
        const msgpack::Nesting nesting{reader_};
        if (!open(type)) return reader_.skip();
        const auto count = reader_.array();
        for (std::size_t index = 0; index < count && !enough(); ++index) {
            if (index >= type.fields.size()) {
                reader_.skip();
                continue;
            }
            if (index > 0) out_ += comma_;
            field_name(type.fields[index].name);
            value(*type.fields[index].type);
        }
        out_ += '}';
    }

    std::string_view comma_;
    std::string_view none_;
};

void Printer::real(double number) {
    if (number == 0 && std::signbit(number)) {
        out_ += "-0.0";  // "-0" would be read back as a whole number, which has no sign
        return;
    }
    std::array<char, 32> digits;
    out_.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

class JsonPrinter final : public Printer {
public:
    /// Of most values the JSON is as long as the msgpack, with names and base64 on top.
    JsonPrinter(Reader& reader, std::size_t msgpack_bytes) : Printer{reader, ",", "null"} {
        out_.reserve(msgpack_bytes + msgpack_bytes / 2 + 128);
    }

    std::string finish() { return std::move(out_); }

private:
    void real(double number) override {
        if (std::isfinite(number)) {
            Printer::real(number);
        } else {
            out_ += "null";
        }
    }

    void text(std::string_view text) override { append_json_text(out_, text); }

    void binary(BytesView bytes) override {
        out_ += '"';
        out_ += base64_encode(bytes);
        out_ += '"';
    }

    void key(const TypeDescription& type) override {
        if (type.kind == Kind::text) {
            append_json_text(out_, reader_.text());
        } else {
            out_ += '"';
            integer(type);
            out_ += '"';
        }
        out_ += ':';
    }

    bool open(const TypeDescription& /*structure*/) override {
        out_ += '{';
        return true;
    }

    void field_name(std::string_view name) override {
        out_ += '"';
        out_ += name;
        out_ += "\":";
    }
};

class LinePrinter final : public Printer {
public:
    LinePrinter(Reader& reader, std::size_t bytes_max) : Printer{reader, ", ", "none"}, bytes_max_{bytes_max} {}

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

    [[nodiscard]] bool enough() const override { return Printer::enough() || out_.size() > bytes_max_; }

    void text(std::string_view text) override {
        const auto shown = utf8_prefix(text, text_bytes_max);
        out_ += '"';
        append_printable(out_, shown, "\"\\");
        if (shown.size() < text.size()) out_ += "…";
        out_ += '"';
    }

    void binary(BytesView bytes) override { fmt::format_to(std::back_inserter(out_), "<{} bytes>", bytes.size()); }

    void key(const TypeDescription& type) override {
        value(type);
        out_ += ": ";
    }

    bool open(const TypeDescription& structure) override {
        out_ += structure.name;
        out_ += structure.secret ? "{…}" : "{";
        return !structure.secret;
    }

    void field_name(std::string_view name) override {
        out_ += name;
        out_ += '=';
    }

    std::size_t bytes_max_;
};

}  // namespace

Result<std::string> to_json(const TypeDescription& type, BytesView msgpack) {
    Reader reader{msgpack};
    JsonPrinter printer{reader, msgpack.size()};
    printer.value(type);
    if (!reader.failed() && !reader.at_end()) reader.fail("there are bytes after the value");
    if (reader.failed()) return reader.error();
    return printer.finish();
}

std::string dump(const TypeDescription& type, BytesView msgpack, std::size_t bytes_max) {
    Reader reader{msgpack};
    LinePrinter printer{reader, bytes_max};
    printer.value(type);
    return printer.finish();
}

}  // namespace gs
