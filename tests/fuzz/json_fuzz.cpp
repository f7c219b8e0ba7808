// JSON as HTTP (strict) and the database (lenient) give it, into structures with every kind of field.
#include <cmath>
#include <type_traits>

#include "base/json_tree.hpp"

#include "base/describe.hpp"
#include "base/sample_fields.hpp"
#include "tests/fuzz/require.hpp"

using namespace gs;
using fuzz::require;

namespace {

/// JSON has no such numbers: they become null, and null becomes NaN.
void leave_out_what_json_lacks(sample::Everything& value) {
    if (!std::isfinite(value.ratio)) value.ratio = 0;
    if (!std::isfinite(value.precise)) value.precise = 0;
}
void leave_out_what_json_lacks(sample::Tree& /*value*/) {}

template <class T>
void check(std::string_view json) {
    const auto strict = from_json(describe<T>(), json, Strictness::strict);
    const auto lenient = from_json(describe<T>(), json, Strictness::lenient);
    if (!strict) fuzz::require_printable(strict.error().message());
    if (!lenient) {
        fuzz::require_printable(lenient.error().message());
        require(!strict, "what is refused leniently is refused strictly");
        return;
    }
    require(is_json(json), "what is read is JSON");
    require(!strict || *strict == *lenient, "strict and lenient reading give the same");

    auto decoded = msgpack::decode<T>(*lenient);
    if (!decoded) {
        // Only the depth is not checked by from_json itself, because the decoder does it.
        require(decoded.error().message().find("nested too deep") != std::string::npos,
                "JSON becomes a message body that decodes", decoded.error().message());
        return;
    }
    require(to_json(describe<T>(), *lenient).has_value(), "what is read can be written");
    leave_out_what_json_lacks(*decoded);
    const auto written = to_json(*decoded);
    const auto given = parse_json(json);
    if constexpr (std::is_same_v<T, sample::Everything>) {
        require(!given.contains("bytes") || given["bytes"] == parse_json(written)["bytes"], "base64 has one form only");
    }
    const auto again = from_json<T>(written, Strictness::strict);
    require(again.has_value(), "what is written can be read strictly", written);
    require(*again == *decoded, "what is written reads the same", written);
    require(to_json(*again) == written, "what is read is written the same", written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    check<sample::Everything>(text);
    check<sample::Tree>(text);
    return 0;
}
