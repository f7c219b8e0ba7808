#include "wire/sealing.hpp"

#include <lz4.h>

#include "base/crc32c.hpp"

namespace gs::wire {

namespace {

constexpr std::size_t checksum_bytes = 4;
constexpr std::uint64_t sent_ms_max = 1ULL << 53U;
// What is hardly shorter is not worth the work at the other end.
constexpr std::size_t saved_bytes_min = 32;

void append_varint(Buffer& out, std::uint64_t value) { out.end_at(write_varint(out.extend(varint_bytes_max), value)); }

/// Takes a varint off the front, as it is.
bool copy_varint(BytesView& rest, Buffer& out) {
    std::uint64_t value = 0;
    const auto before = rest;
    if (!read_varint(rest, value)) return false;
    out.append(before.first(before.size() - rest.size()));
    return true;
}

std::uint32_t read_checksum(BytesView at) {
    std::uint32_t value = 0;
    for (std::size_t index = 0; index < checksum_bytes; ++index) value |= std::uint32_t{at[index]} << (8 * index);
    return value;
}

void append_checksum(Buffer& out, std::size_t begin) {
    const auto value = crc32c(out.view().subspan(begin));
    auto* at = out.extend(checksum_bytes);
    for (std::size_t index = 0; index < checksum_bytes; ++index)
        at[index] = static_cast<std::uint8_t>(value >> (8 * index));
}

bool has_id(std::uint8_t flags) {
    const auto kind = static_cast<Kind>(flags & flag::kind_mask);
    return kind == Kind::request || kind == Kind::reply;
}
bool is_request(std::uint8_t flags) { return static_cast<Kind>(flags & flag::kind_mask) == Kind::request; }

constexpr std::size_t before_numbers = 3;  // flags and command

/// Flags, command and numbers of a message, with other flags.
bool copy_header(BytesView& rest, std::uint8_t flags, Buffer& out) {
    const auto begin = out.size();
    out.append(rest.first(before_numbers));
    out.data()[begin] = flags;
    rest = rest.subspan(before_numbers);
    if (has_id(flags) && !copy_varint(rest, out)) return false;
    return (flags & flag::session) == 0 || copy_varint(rest, out);
}

/// Appends the LZ4 block with the length in front; false when that is not shorter.
bool append_compressed(BytesView body, Buffer& out) {
    const auto begin = out.size();
    append_varint(out, body.size());
    const auto most = body.size() - saved_bytes_min;
    auto* block = out.extend(most);
    const auto size = LZ4_compress_default(reinterpret_cast<const char*>(body.data()), reinterpret_cast<char*>(block),
                                           static_cast<int>(body.size()), static_cast<int>(most));
    if (size <= 0) {
        out.resize_down(begin);
        return false;
    }
    out.end_at(block + size);
    return true;
}

Unsealed refuse(Buffer& out, std::size_t begin, SealFault fault, const char* why) {
    out.resize_down(begin);
    return {fault, why, {}};
}

}  // namespace

Unsealed unseal(BytesView payload, bool from_client, std::uint64_t features, std::size_t bytes_max, Buffer& out) {
    const auto begin = out.size();
    if (payload.size() < before_numbers)
        return refuse(out, begin, SealFault::malformed, "a message is shorter than its header");
    const auto flags = payload[0];
    auto rest = payload;
    const bool checked = (features & feature::checksum) != 0;
    if (checked != ((flags & flag::checksum) != 0)) {
        return checked
                   ? refuse(out, begin, SealFault::checksum, "a message has no checksum, and the hellos agreed on one")
                   : refuse(out, begin, SealFault::malformed,
                            "a message has a checksum, and the hellos did not agree on one");
    }
    if (checked) {
        if (rest.size() < before_numbers + checksum_bytes)
            return refuse(out, begin, SealFault::checksum, "a message is shorter than its checksum");
        const auto covered = rest.first(rest.size() - checksum_bytes);
        if (crc32c(covered) != read_checksum(rest.subspan(covered.size())))
            return refuse(out, begin, SealFault::checksum, "the checksum of a message is wrong");
        rest = covered;
    }
    const bool timed = from_client && is_request(flags) && (features & feature::time) != 0;
    const bool compressed = (flags & flag::compressed) != 0;
    if (compressed && (features & feature::compression) == 0)
        return refuse(out, begin, SealFault::malformed,
                      "a message is compressed, and the hellos did not agree on that");
    if (timed && (flags & flag::time) == 0)
        return refuse(out, begin, SealFault::malformed, "a request has no time, and the hellos agreed on one");
    auto kept = static_cast<std::uint8_t>(flags & ~(flag::compressed | flag::checksum));
    if (timed) kept = static_cast<std::uint8_t>(kept & ~flag::time);
    const auto frame = begin_frame(out);
    if (!copy_header(rest, kept, out))
        return refuse(out, begin, SealFault::malformed, "a header's number does not end");
    Unsealed unsealed;
    if (timed) {
        std::uint64_t sent = 0;
        if (!read_varint(rest, sent) || sent > sent_ms_max)
            return refuse(out, begin, SealFault::malformed, "a time does not end, or is no time");
        unsealed.sent_ms = sent;
    }
    if (compressed) {
        std::uint64_t size = 0;
        if (!read_varint(rest, size)) return refuse(out, begin, SealFault::compression, "a length does not end");
        if (size > bytes_max)
            return refuse(out, begin, SealFault::compression, "a compressed message is longer than a frame may be");
        auto* body = out.extend(size);
        const auto got = LZ4_decompress_safe(reinterpret_cast<const char*>(rest.data()), reinterpret_cast<char*>(body),
                                             static_cast<int>(rest.size()), static_cast<int>(size));
        if (got < 0 || static_cast<std::uint64_t>(got) != size)
            return refuse(out, begin, SealFault::compression, "a compressed message does not give what it says");
        out.end_at(body + size);
    } else {
        out.append(rest);
    }
    finish_frame(out, frame);
    return unsealed;
}

void seal(BytesView payload, const Sealing& sealing, bool secret, Buffer& out) {
    const auto frame = begin_frame(out);
    const auto begin = out.size();
    auto rest = payload;
    auto flags = payload[0];
    const bool timed = sealing.sent_ms && is_request(flags) && (sealing.features & feature::time) != 0;
    const bool checked = (sealing.features & feature::checksum) != 0;
    if (is_request(flags)) flags = static_cast<std::uint8_t>(flags & ~flag::secret);  // it was for us
    if (timed) flags |= flag::time;
    if (checked) flags |= flag::checksum;
    // Our own messages have whole headers.
    static_cast<void>(copy_header(rest, flags, out));
    if (timed) append_varint(out, *sealing.sent_ms);
    const bool is_long =
        sealing.compress_from != 0 && rest.size() >= std::max(sealing.compress_from, 2 * saved_bytes_min);
    const bool may_compress = is_long && !secret && (sealing.features & feature::compression) != 0;
    if (may_compress && append_compressed(rest, out)) {
        out.data()[begin] |= flag::compressed;
    } else {
        out.append(rest);
    }
    if (checked) append_checksum(out, begin);
    finish_frame(out, frame);
}

}  // namespace gs::wire
