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
    header.state = (flags & flag::state) != 0;
    const bool has_id = header.kind == Kind::request || header.kind == Kind::reply;
    const bool in_session = (flags & flag::session) != 0;
    if ((flags & ~(flag::kind_mask | flag::error | flag::session | flag::state)) != 0) {
        view.fault = "a header flag is set that was not negotiated";
    } else if (header.error && !has_id) {
        view.fault = "only a reply can be an error";
    } else if (in_session && header.kind == Kind::control) {
        view.fault = "a control message has no number";
    } else if (header.state && (header.kind != Kind::push || in_session)) {
        view.fault = "only a push without a number can be a state";
    } else if (has_id && !read_varint(body, header.request_id)) {
        view.fault = "a request id does not end";
    } else if (in_session && (!read_varint(body, header.session) || header.session == 0)) {
        view.fault = "a session number is 0 or does not end";
    } else {
        view.header = header;
        view.body = body;
        view.raw = payload;
    }
    return view;
}

void write_error(Buffer& out, const Header& request, const Error& error, std::uint64_t number) {
    write_message(out, {Kind::reply, true, request.command, request.request_id, number},
                  ErrorBody{error.code(), error.message()});
}

}  // namespace gs::wire
