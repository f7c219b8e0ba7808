#include "wire/message.hpp"

namespace gs::wire {

void write_varint(Buffer& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
    out.push_back(static_cast<std::uint8_t>(value));
}

bool read_varint(BytesView& bytes, std::uint64_t& value) {
    value = 0;
    for (std::size_t index = 0; index < bytes.size() && index < 10; ++index) {
        const std::uint64_t part = bytes[index] & 0x7fU;
        if (index == 9 && part > 1) return false;
        value |= part << (7 * index);
        if ((bytes[index] & 0x80U) == 0) {
            bytes = bytes.subspan(index + 1);
            return true;
        }
    }
    return false;
}

MessageView parse_message(BytesView payload) {
    MessageView view;
    const auto refuse = [](const char* fault) {
        MessageView refused;
        refused.fault = fault;
        return refused;
    };
    if (payload.size() < 3) return refuse("a message is shorter than its header");
    const auto flags = payload[0];
    if ((flags & ~(flag::kind_mask | flag::error)) != 0) return refuse("a header flag is set that was not negotiated");
    view.raw = payload;
    view.header.kind = static_cast<Kind>(flags & flag::kind_mask);
    view.header.error = (flags & flag::error) != 0;
    view.header.command = static_cast<Command>(payload[1] | payload[2] << 8);
    view.body = payload.subspan(3);
    if (view.header.error && view.header.kind != Kind::reply) return refuse("only a reply can be an error");
    if (view.header.kind == Kind::request || view.header.kind == Kind::reply) {
        if (!read_varint(view.body, view.header.request_id)) return refuse("a request id does not end");
    }
    return view;
}

void write_header(Buffer& out, const Header& header) {
    auto* at = out.extend(3);
    at[0] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(header.kind) | (header.error ? flag::error : 0));
    at[1] = static_cast<std::uint8_t>(header.command);
    at[2] = static_cast<std::uint8_t>(header.command >> 8);
    if (header.kind == Kind::request || header.kind == Kind::reply) write_varint(out, header.request_id);
}

void write_error(Buffer& out, Command command, std::uint64_t request_id, Code code, std::string_view message) {
    write_message(out, {Kind::reply, true, command, request_id}, ErrorBody{code, std::string{message}});
}

}  // namespace gs::wire
