#pragma once
// Cuts a byte stream into frames: a 4-byte little-endian length, then that many bytes. Nothing is stored here; the
// caller keeps what is not consumed yet. Units: lengths in bytes, without the 4 of the prefix.
#include "base/bytes.hpp"

namespace gs::wire {

inline constexpr std::size_t frame_prefix_bytes = 4;

struct FrameCut {
    enum class Status : std::uint8_t { frame, incomplete, too_long };
    Status status = Status::incomplete;
    BytesView payload;       ///< of a whole frame
    std::size_t length = 0;  ///< what the prefix claims, once it is there
    [[nodiscard]] std::size_t consumed() const { return frame_prefix_bytes + payload.size(); }
};

[[nodiscard]] inline FrameCut cut_frame(BytesView stream, std::size_t length_max) {
    FrameCut cut;
    if (stream.size() < frame_prefix_bytes) return cut;
    cut.length = stream[0] | std::size_t{stream[1]} << 8 | std::size_t{stream[2]} << 16 | std::size_t{stream[3]} << 24;
    if (cut.length > length_max) {
        cut.status = FrameCut::Status::too_long;
    } else if (stream.size() - frame_prefix_bytes >= cut.length) {
        cut.status = FrameCut::Status::frame;
        cut.payload = stream.subspan(frame_prefix_bytes, cut.length);
    }
    return cut;
}

inline void write_length(std::uint8_t* at, std::uint32_t length) {
    at[0] = static_cast<std::uint8_t>(length);
    at[1] = static_cast<std::uint8_t>(length >> 8);
    at[2] = static_cast<std::uint8_t>(length >> 16);
    at[3] = static_cast<std::uint8_t>(length >> 24);
}

/// Starts a frame at the end of `out`; finish_frame fills in the length of all that was appended since.
[[nodiscard]] inline std::size_t begin_frame(Buffer& out) {
    const auto begin = out.size();
    out.extend(frame_prefix_bytes);
    return begin;
}
inline void finish_frame(Buffer& out, std::size_t begin) {
    write_length(out.data() + begin, static_cast<std::uint32_t>(out.size() - begin - frame_prefix_bytes));
}

}  // namespace gs::wire
