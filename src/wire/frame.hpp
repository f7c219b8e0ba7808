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

[[nodiscard]] FrameCut cut_frame(BytesView stream, std::size_t length_max);

/// Starts a frame at the end of `out`; finish_frame fills in the length of all that was appended since.
[[nodiscard]] std::size_t begin_frame(Buffer& out);
void finish_frame(Buffer& out, std::size_t begin);
void write_length(std::uint8_t* at, std::uint32_t length);

}  // namespace gs::wire
