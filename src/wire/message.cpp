#include "wire/message.hpp"

namespace gs::wire {

MessageView parse_message(BytesView payload) {
    MessageView view;
    if (payload.size() < 3) {
        view.fault = "a message is shorter than its header";
        return view;
    }
    const auto flags = payload[0];
    Header header;
    header.kind = static_cast<Kind>(flags & flag::kind_mask);
    header.error = (flags & flag::error) != 0;
    header.command = static_cast<Command>(payload[1] | payload[2] << 8);
    auto body = payload.subspan(3);
    const bool numbered = header.kind == Kind::request || header.kind == Kind::reply;
    if ((flags & ~(flag::kind_mask | flag::error)) != 0) {
        view.fault = "a header flag is set that was not negotiated";
    } else if (header.error && header.kind != Kind::reply) {
        view.fault = "only a reply can be an error";
    } else if (numbered && !read_varint(body, header.request_id)) {
        view.fault = "a request id does not end";
    } else {
        view.header = header;
        view.body = body;
        view.raw = payload;
    }
    return view;
}

void write_error(Buffer& out, Command command, std::uint64_t request_id, Code code, std::string_view message) {
    write_message(out, {Kind::reply, true, command, request_id}, ErrorBody{code, std::string{message}});
}

}  // namespace gs::wire
