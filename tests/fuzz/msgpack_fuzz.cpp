// Message bodies as a client may send them: decoding, skipping, JSON and the line for the log must agree.
#include "base/json_tree.hpp"

#include "base/describe.hpp"
#include "base/sample_fields.hpp"
#include "tests/fuzz/require.hpp"
#include "wire/system.hpp"

using namespace gs;
using fuzz::require;

namespace {

/// The types that sample::Everything does not have.
struct Views {
    std::string_view text;
    BytesView bytes;
    SharedBytes shared;
    std::optional<std::vector<Binary>> parts;
    std::map<std::string, std::map<std::uint8_t, sample::Tree>> deep;
    FIELDS(text, bytes, shared, parts, deep)
};

void check_dump(const TypeDescription& type, BytesView bytes, const Result<void>& decoded) {
    for (const std::size_t bytes_max : {0, 1, 2, 3, 4, 17, 256}) {
        const auto line = dump(type, bytes, bytes_max);
        require(line.size() <= bytes_max, "a dump keeps to its bound", line);
        fuzz::require_printable(line);
    }
    const auto line = dump(type, bytes, std::size_t{1} << 40U);
    fuzz::require_printable(line);
    require(line.starts_with(type.name), "a dump begins with the name of the type", line);
    if (decoded || decoded.error().message().find("bytes after the value") != std::string::npos) return;
    require(line.ends_with("<broken: " + decoded.error().message() + ">"), "a dump ends with what decoding says", line);
}

template <class T>
void check(BytesView bytes) {
    const auto& type = describe<T>();
    T value{};
    const auto decoded = msgpack::decode_into(bytes, value);
    check_dump(type, bytes, decoded);

    const auto json = to_json(type, bytes);
    require(json.has_value() == decoded.has_value(), "to_json reads what decoding reads");
    if (!decoded) {
        require(json.error().message() == decoded.error().message(), "to_json fails as decoding fails",
                json.error().message());
        fuzz::require_printable(decoded.error().message());
        return;
    }
    require(is_json(*json), "to_json gives JSON", *json);

    msgpack::Reader reader{bytes};
    reader.skip();
    require(!reader.failed() && reader.at_end(), "what decodes can be skipped as a whole");

    const auto again = msgpack::encode(value);
    T reread{};
    require(msgpack::decode_into(again, reread).has_value(), "what is encoded decodes");
    require(msgpack::encode(reread) == again, "what decodes, encodes and decodes to the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes{data, size};
    msgpack::Reader reader{bytes};
    reader.skip();
    require(reader.position() <= size && (reader.failed() || reader.position() > 0), "skipping stays within the bytes");
    check<sample::Everything>(bytes);
    check<sample::Tree>(bytes);
    check<Views>(bytes);

    const auto line = dump(describe<wire::Enter>(), bytes, 1000);
    require(line == "Enter{…}" || line.starts_with("Enter{…} <broken: message body: "), "a secret is not dumped", line);
    return 0;
}
