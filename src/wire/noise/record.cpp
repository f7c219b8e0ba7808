#include "wire/noise/record.hpp"

#include <algorithm>

#include "wire/frame.hpp"

namespace gs::wire::noise {

namespace {
void rekey_when_due(CipherState& cipher) {
    if (cipher.nonce() % records_between_rekeys == 0) cipher.rekey();
}
}  // namespace

bool RecordWriter::write(BytesView plain, Buffer& out, std::size_t plain_bytes_max) {
    while (!plain.empty()) {
        const auto piece = plain.first(std::min(plain.size(), plain_bytes_max));
        if (!write_record(piece, out)) return false;
        plain = plain.subspan(piece.size());
    }
    return true;
}

bool RecordWriter::write_end(Buffer& out) {
    if (!write_record({}, out)) return false;
    ended_ = true;
    return true;
}

bool RecordWriter::write_record(BytesView plain, Buffer& out) {
    if (ended_) return false;
    const auto begin = begin_frame(out);
    if (!cipher_.encrypt({}, plain, out)) {
        out.resize_down(begin);
        return false;
    }
    finish_frame(out, begin);
    rekey_when_due(cipher_);
    return true;
}

RecordReader::Read RecordReader::read(BytesView stream, Buffer& plain, std::size_t plain_bytes_max) {
    const Read broken{Status::broken};
    if (broken_ || (ended_ && !stream.empty())) return broken;
    const auto cut = cut_frame(stream, std::min(plain_bytes_max, record_plain_bytes_max) + tag_bytes);
    if (cut.status == FrameCut::Status::incomplete) return {Status::incomplete};
    if (cut.status == FrameCut::Status::too_long || !cipher_.decrypt({}, cut.payload, plain)) {
        broken_ = true;
        return broken;
    }
    rekey_when_due(cipher_);
    ended_ = cut.payload.size() == tag_bytes;
    return {ended_ ? Status::end : Status::record, cut.consumed()};
}

}  // namespace gs::wire::noise
