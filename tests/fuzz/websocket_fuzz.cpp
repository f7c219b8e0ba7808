// A WebSocket as a stranger may speak it: the request to upgrade, then frames, in any pieces.
#include <algorithm>

#include "tests/fuzz/require.hpp"
#include "wire/websocket.hpp"

using namespace gs;
using fuzz::require;
namespace websocket = wire::websocket;

namespace {

struct Outcome {
    Binary stream;
    std::optional<websocket::Close> close;
};

template <class NextSize>
Outcome receive(BytesView input, bool expects_masks, NextSize next_size) {
    websocket::Reader reader{expects_masks};
    Outcome outcome;
    Buffer stream;
    while (!input.empty() && !outcome.close) {
        const auto size = std::min<std::size_t>(next_size(), input.size());
        auto found = reader.read(input.first(size), stream);
        require(!found.ping || found.ping->size() <= 125, "a ping is short");
        outcome.close = std::move(found.close);
        input = input.subspan(size);
    }
    outcome.stream.assign(stream.view().begin(), stream.view().end());
    return outcome;
}

void check_frames(BytesView input, bool expects_masks) {
    const auto whole = receive(input, expects_masks, [&] { return input.size(); });
    require(whole.stream.size() <= input.size(), "nothing comes out that did not come in");
    const auto same = [&](const Outcome& other) {
        require(other.stream == whole.stream, "the stream does not depend on how it is cut");
        require(other.close.has_value() == whole.close.has_value(), "nor does the end");
        if (whole.close) require(other.close->code == whole.close->code, "nor its code");
    };
    same(receive(input, expects_masks, [] { return std::size_t{1}; }));
    std::uint32_t state = input.empty() ? 1 : 1U + input.back();
    same(receive(input, expects_masks, [&state] {
        state = state * 1664525 + 1013904223;
        return std::size_t{1} + (state >> 24U) % 13;
    }));
    if (!whole.close) return;
    Buffer answer;
    websocket::write_close(answer, whole.close->code, whole.close->is_fault ? whole.close->reason : "", {});
    Buffer nothing;
    const auto read = websocket::Reader{false}.read(answer, nothing);
    require(read.close && !read.close->is_fault && read.close->code == whole.close->code,
            "what is answered to a close can be read");
}

void check_round_trip(BytesView payload) {
    Buffer frame;
    websocket::write_frame(frame, websocket::Opcode::binary, payload, websocket::Mask{9, 8, 7, 250});
    Buffer stream;
    const auto found = websocket::Reader{true}.read(frame, stream);
    require(!found.close && fuzz::same(stream, payload), "a frame that was written reads the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView input{data, size};
    const auto upgrade = websocket::read_upgrade(input);
    require(upgrade.consumed <= size, "no more is taken than there is");
    require(upgrade.consumed > 0 || size < websocket::head_bytes_max, "a request does not grow without end");
    if (upgrade.refusal != 0) fuzz::require_printable(upgrade.reason.substr(0, upgrade.reason.find('\n')));
    static_cast<void>(websocket::read_upgrade_answer(input, "dGhlIHNhbXBsZSBub25jZQ=="));
    const auto frames = upgrade.refusal == 0 ? input.subspan(upgrade.consumed) : input;
    check_frames(frames, true);
    check_frames(frames, false);
    check_round_trip(input);
    return 0;
}
