// What strangers send as sealed messages. The first byte chooses the features and who sends; what is unsealed must be
// sealed to what is unsealed alike.
#include "tests/fuzz/require.hpp"
#include "wire/sealing.hpp"

using namespace gs;
using namespace gs::wire;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::uint64_t features = data[0] & feature::all;
    const bool from_client = (data[0] & 8U) != 0;
    const BytesView payload{data + 1, size - 1};
    constexpr std::size_t longest = 16'384;
    Buffer out;
    const auto unsealed = unseal(payload, from_client, features, longest, out);
    require((unsealed.fault == SealFault::none) == (unsealed.why == nullptr), "a fault has a reason");
    if (unsealed.fault != SealFault::none) {
        require(out.empty(), "a refused message leaves nothing");
        return 0;
    }
    const auto cut = cut_frame(out, out.size());
    require(cut.status == FrameCut::Status::frame && cut.consumed() == out.size(), "one whole frame comes out");
    require(cut.payload.size() <= longest + payload.size(), "no more comes out than was allowed");
    if (parse_message(cut.payload).fault != nullptr) return 0;
    Buffer again, twice;
    seal(cut.payload, {features, 64, unsealed.sent_ms}, false, again);
    const auto sealed = cut_frame(again, again.size());
    const auto reread = unseal(sealed.payload, from_client, features, longest + payload.size(), twice);
    require(reread.fault == SealFault::none, "what was sealed here can be unsealed");
    require(fuzz::same(twice, out), "and is the same");
    require(reread.sent_ms == unsealed.sent_ms, "with the same time");
    return 0;
}
