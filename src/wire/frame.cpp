#include "wire/frame.hpp"

namespace gs::wire {

FrameCut cut_frame(BytesView stream, std::size_t length_max) {
    FrameCut cut;
    if (stream.size() < frame_prefix_bytes) return cut;
    cut.length = stream[0] | std::size_t{stream[1]} << 8 | std::size_t{stream[2]} << 16 | std::size_t{stream[3]} << 24;
    if (cut.length > length_max) {
        cut.status = FrameCut::Status::too_long;
        return cut;
    }
    if (stream.size() - frame_prefix_bytes < cut.length) return cut;
    cut.status = FrameCut::Status::frame;
    cut.payload = stream.subspan(frame_prefix_bytes, cut.length);
    return cut;
}

void write_length(std::uint8_t* at, std::uint32_t length) {
    for (int byte = 0; byte < 4; ++byte) at[byte] = static_cast<std::uint8_t>(length >> (8 * byte));
}

std::size_t begin_frame(Buffer& out) {
    const auto begin = out.size();
    out.extend(frame_prefix_bytes);
    return begin;
}

void finish_frame(Buffer& out, std::size_t begin) {
    write_length(out.data() + begin, static_cast<std::uint32_t>(out.size() - begin - frame_prefix_bytes));
}

}  // namespace gs::wire
