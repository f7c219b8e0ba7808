#include "wire/message.hpp"

namespace gs::wire {

namespace {

/// Takes the header off the front of `rest`. Returns what is wrong with it, or null.
const char* take_header(BytesView& rest, Header& header) {
    if (rest.size() < 3) return "a message is shorter than its header";
    const auto flags = rest[0];
    header.kind = static_cast<Kind>(flags & flag::kind_mask);
    header.error = (flags & flag::error) != 0;
    header.state = (flags & flag::state) != 0;
    header.secret = (flags & flag::secret) != 0;
    header.command = static_cast<Command>(rest[1] | rest[2] << 8);
    rest = rest.subspan(3);
    const bool has_id = header.kind == Kind::request || header.kind == Kind::reply;
    const bool in_session = (flags & flag::session) != 0;
    if ((flags & ~(flag::kind_mask | flag::error | flag::session | flag::state | flag::secret)) != 0)
        return "a header flag is set that was not negotiated";
    if (header.error && !has_id) return "only a reply can be an error";
    if (header.secret && header.kind != Kind::reply && header.kind != Kind::push)
        return "only a reply or a push can be secret";
    if (in_session && header.kind == Kind::control) return "a control message has no number";
    if (header.state && (header.kind != Kind::push || in_session)) return "only a push without a number can be a state";
    if (has_id && !read_varint(rest, header.request_id)) return "a request id does not end";
    if (in_session && (!read_varint(rest, header.session) || header.session == 0))
        return "a session number is 0 or does not end";
    return nullptr;
}

}  // namespace

MessageView parse_message(BytesView payload) {
    MessageView view;
    auto rest = payload;
    view.fault = take_header(rest, view.header);
    if (view.fault != nullptr) {
        view.header = {};
    } else {
        view.body = rest;
        view.raw = payload;
    }
    return view;
}

void write_error(Buffer& out, const Header& request, const Error& error, std::uint64_t number) {
    write_message(out, {Kind::reply, true, request.command, request.request_id, number},
                  ErrorBody{error.code(), error.message()});
}

}  // namespace gs::wire
