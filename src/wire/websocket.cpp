#include "wire/websocket.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/utf8.hpp"

namespace gs::wire::websocket {

namespace {

constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t opcode_bits = 0x0f;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t length_16 = 126;
constexpr std::uint8_t length_64 = 127;
constexpr std::size_t control_bytes_max = 125;
constexpr std::size_t empty_in_a_row_max = 1000;

bool is_control(std::uint8_t opcode) { return opcode >= static_cast<std::uint8_t>(Opcode::close); }

/// `at` is the place of the first byte in the mask; returns that of the byte behind the last.
std::uint8_t apply_mask(std::uint8_t* bytes, std::size_t size, const Mask& mask, std::uint8_t at) {
    std::array<std::uint8_t, 8> wide{};
    for (std::size_t index = 0; index < wide.size(); ++index) wide[index] = mask[(at + index) % mask.size()];
    std::uint64_t key = 0;
    std::memcpy(&key, wide.data(), sizeof(key));
    std::size_t done = 0;
    for (; size - done >= sizeof(key); done += sizeof(key)) {
        std::uint64_t part = 0;
        std::memcpy(&part, bytes + done, sizeof(part));
        part ^= key;
        std::memcpy(bytes + done, &part, sizeof(part));
    }
    for (; done < size; ++done) bytes[done] ^= mask[(at + done) % mask.size()];
    return static_cast<std::uint8_t>((at + size) % mask.size());
}

Close fault(std::uint16_t code, std::string reason) { return {code, std::move(reason), true}; }

bool may_be_sent(std::uint16_t code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace

struct Reader::FrameHeader {
    std::uint8_t opcode = 0;
    bool is_final = false, reserved = false, masked = false, shortest = true;
    std::uint64_t length = 0;
    Mask mask{};
    std::size_t bytes = 0;  ///< of the header; 0: it is not whole yet

    static FrameHeader read(BytesView input) {
        FrameHeader header;
        if (input.size() < 2) return header;
        header.opcode = input[0] & opcode_bits;
        header.is_final = (input[0] & final_bit) != 0;
        header.reserved = (input[0] & reserved_bits) != 0;
        header.masked = (input[1] & mask_bit) != 0;
        const std::uint8_t short_length = input[1] & 0x7fU;
        const std::size_t more = short_length == length_64 ? 8 : short_length == length_16 ? 2 : 0;
        const auto size = 2 + more + (header.masked ? header.mask.size() : 0);
        if (input.size() < size) return header;
        header.length = short_length;
        if (more != 0) header.length = 0;
        for (std::size_t index = 0; index < more; ++index) header.length = header.length << 8U | input[2 + index];
        header.shortest = more == 0 || header.length > (more == 2 ? length_16 - 1U : 0xffffU);
        if (header.masked) std::copy_n(input.data() + 2 + more, header.mask.size(), header.mask.begin());
        header.bytes = size;
        return header;
    }
};

Reader::Found Reader::read(BytesView bytes, Buffer& stream) {
    Found found;
    Binary joined;
    auto input = bytes;
    if (!partial_.empty()) {
        joined = std::move(partial_);
        partial_ = {};
        joined.insert(joined.end(), bytes.begin(), bytes.end());
        input = joined;
    }
    while (!input.empty() && !found.close) {
        const auto before = input.size();
        found.close = take(input, stream, found);
        if (input.size() == before) break;
    }
    if (!found.close) partial_.assign(input.begin(), input.end());
    return found;
}

/// The next piece of a payload, or the next frame header. Takes nothing when that is not whole yet.
std::optional<Close> Reader::take(BytesView& input, Buffer& stream, Found& found) {
    if (payload_left_ > 0) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, input.size()));
        auto* at = stream.extend(size);
        std::memcpy(at, input.data(), size);
        if (expects_masks_) mask_at_ = apply_mask(at, size, mask_, mask_at_);
        payload_left_ -= size;
        input = input.subspan(size);
        return {};
    }
    const auto header = FrameHeader::read(input);
    if (header.bytes == 0) return {};
    if (auto wrong = check(header)) return wrong;
    if (!is_control(header.opcode) && header.length > 0) {
        empty_in_a_row_ = 0;
    } else if (input.size() - header.bytes >= header.length && ++empty_in_a_row_ > empty_in_a_row_max) {
        return fault(status::policy, "too many frames that carry nothing");
    }
    if (!is_control(header.opcode)) {
        in_message_ = !header.is_final;
        payload_left_ = header.length;
        mask_ = header.mask;
        mask_at_ = 0;
        input = input.subspan(header.bytes);
        return {};
    }
    if (input.size() - header.bytes < header.length) return {};
    const auto bytes = input.subspan(header.bytes, static_cast<std::size_t>(header.length));
    Binary payload{bytes.begin(), bytes.end()};
    if (expects_masks_) apply_mask(payload.data(), payload.size(), header.mask, 0);
    input = input.subspan(header.bytes + payload.size());
    if (header.opcode == static_cast<std::uint8_t>(Opcode::close)) return goodbye(payload);
    if (header.opcode == static_cast<std::uint8_t>(Opcode::ping)) found.ping = std::move(payload);
    return {};
}

std::optional<Close> Reader::check(const FrameHeader& header) {
    const auto opcode = static_cast<Opcode>(header.opcode);
    if (header.reserved) return fault(status::protocol_error, "no extension was agreed on");
    if (header.masked != expects_masks_) {
        return fault(status::protocol_error, expects_masks_ ? "a client must mask its frames" : "a server must not");
    }
    if (!header.shortest) return fault(status::protocol_error, "a length is not in its shortest form");
    if (is_control(header.opcode)) {
        if (header.opcode > static_cast<std::uint8_t>(Opcode::pong))
            return fault(status::protocol_error, "unknown opcode");
        if (!header.is_final || header.length > control_bytes_max)
            return fault(status::protocol_error, "a control frame is one frame of at most 125 bytes");
        return {};
    }
    if (opcode == Opcode::text) return fault(status::not_accepted, "binary messages only");
    if (opcode != Opcode::binary && opcode != Opcode::continuation)
        return fault(status::protocol_error, "unknown opcode");
    if (in_message_ != (opcode == Opcode::continuation))
        return fault(status::protocol_error, "the frames of a message are out of order");
    if (header.length > frame_bytes_max) return fault(status::too_big, "a frame is longer than 1 MiB");
    return {};
}

Close Reader::goodbye(BytesView payload) {
    if (payload.empty()) return {status::none, {}, false};
    if (payload.size() == 1) return fault(status::protocol_error, "half a close code");
    const auto code = static_cast<std::uint16_t>(payload[0] << 8U | payload[1]);
    if (!may_be_sent(code)) return fault(status::protocol_error, "such a close code is not sent");
    const auto reason = as_text(payload.subspan(2));
    if (!is_utf8(reason)) return fault(status::bad_text, "the reason is not UTF-8");
    return {code, std::string{reason}, false};
}

namespace {
void write_header(Buffer& out, Opcode opcode, std::size_t size, bool masked) {
    const std::uint8_t mask = masked ? mask_bit : 0;
    out.push_back(static_cast<std::uint8_t>(final_bit | static_cast<std::uint8_t>(opcode)));
    std::size_t more = 0;
    if (size < length_16) {
        out.push_back(static_cast<std::uint8_t>(mask | size));
    } else {
        more = size <= 0xffff ? 2 : 8;
        out.push_back(static_cast<std::uint8_t>(mask | (more == 2 ? length_16 : length_64)));
    }
    for (; more > 0; --more) out.push_back(static_cast<std::uint8_t>(std::uint64_t{size} >> (8 * (more - 1))));
}
}  // namespace

void write_frame_header(Buffer& out, Opcode opcode, std::size_t size) { write_header(out, opcode, size, false); }

void write_frame(Buffer& out, Opcode opcode, BytesView payload, const std::optional<Mask>& mask) {
    write_header(out, opcode, payload.size(), mask.has_value());
    if (mask) out.append(*mask);
    const auto begin = out.size();
    out.append(payload);
    if (mask) apply_mask(out.data() + begin, payload.size(), *mask, 0);
}

void write_close(Buffer& out, std::uint16_t code, std::string_view reason, const std::optional<Mask>& mask) {
    Buffer payload;
    if (code != status::none) {
        payload.push_back(static_cast<std::uint8_t>(code >> 8U));
        payload.push_back(static_cast<std::uint8_t>(code));
        auto size = std::min(reason.size(), control_bytes_max - 2);
        while (size > 0 && !is_utf8(reason.substr(0, size))) --size;
        payload.append(as_bytes(reason.substr(0, size)));
    }
    write_frame(out, Opcode::close, payload, mask);
}

}  // namespace gs::wire::websocket
