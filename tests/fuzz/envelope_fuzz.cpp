// Messages between nodes, as a link delivers them.
#include "cluster/envelope.hpp"
#include "tests/fuzz/require.hpp"
#include "wire/message.hpp"

using namespace gs;
using fuzz::require;
using fuzz::same;

namespace {

bool has_canonical_numbers(BytesView numbers) {
    for (int number = 0; number < 4; ++number) {
        const auto before = numbers;
        std::uint64_t value = 0;
        require(wire::read_varint(numbers, value), "the numbers of a readable envelope can be read");
        const auto used = before.size() - numbers.size();
        if (used > 1 && before[used - 1] == 0) return false;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView payload{data, size};
    cluster::Envelope envelope;
    if (!cluster::decode_envelope(payload, envelope)) return 0;
    require(static_cast<std::size_t>(envelope.from.role) < role_count &&
                static_cast<std::size_t>(envelope.to.role) < role_count,
            "an envelope names roles that exist");
    require(envelope.kind <= cluster::Envelope::Kind::note, "an envelope has a kind that exists");
    require(envelope.object == nullptr, "bytes never become an object");
    require(envelope.body.size() <= size - 8 && envelope.body.data() + envelope.body.size() == data + size,
            "the body is the end of the payload");

    Buffer again;
    cluster::encode_envelope(again, envelope);
    require(!has_canonical_numbers(payload.subspan(4)) || same(again, payload),
            "a canonical envelope is written as it was read");
    cluster::Envelope reread;
    require(cluster::decode_envelope(again, reread), "an envelope that was written can be read");
    require(reread.from == envelope.from && reread.to == envelope.to && reread.kind == envelope.kind &&
                reread.command == envelope.command && reread.call_id == envelope.call_id &&
                reread.subject == envelope.subject && reread.generation == envelope.generation &&
                reread.deadline_ms == envelope.deadline_ms && same(reread.body, envelope.body),
            "an envelope that was written reads the same");
    return 0;
}
