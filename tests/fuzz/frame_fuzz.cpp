// The client's byte stream: frames, the message header in them, and the hello.
#include <algorithm>
#include <vector>

#include "tests/fuzz/require.hpp"
#include "wire/frame.hpp"
#include "wire/message.hpp"
#include "wire/system.hpp"

using namespace gs;
using fuzz::require;
using fuzz::same;

namespace {

constexpr std::size_t length_max = 4096;

struct Received {
    std::vector<Binary> frames;
    bool too_long = false;
    Binary left;
    bool operator==(const Received&) const = default;
};

/// As a connection does it: bytes come in pieces, whole frames are taken from the front.
template <class NextSize>
Received receive(BytesView stream, NextSize next_size) {
    Received received;
    Buffer held;
    while (!stream.empty()) {
        const auto size = std::min<std::size_t>(next_size(), stream.size());
        held.append(stream.first(size));
        stream = stream.subspan(size);
        while (!received.too_long) {
            const auto cut = wire::cut_frame(held, length_max);
            if (cut.status == wire::FrameCut::Status::incomplete) break;
            if (cut.status == wire::FrameCut::Status::too_long) {
                require(cut.length > length_max && cut.payload.empty(), "a frame is too long only past the bound");
                received.too_long = true;
                break;
            }
            require(cut.payload.size() == cut.length, "a frame is as long as its prefix says");
            received.frames.emplace_back(cut.payload.begin(), cut.payload.end());
            held.consume(cut.consumed());
        }
    }
    received.left.assign(held.view().begin(), held.view().end());
    return received;
}

void check_message(BytesView payload) {
    const auto message = wire::parse_message(payload);
    if (message.fault != nullptr) {
        require(message.raw.empty() && message.body.empty(), "a message that cannot be read has no parts");
        return;
    }
    require(message.raw.data() == payload.data() && message.raw.size() == payload.size(),
            "the raw message is the payload");
    const auto header_bytes = payload.size() - message.body.size();
    require(header_bytes >= 3 && header_bytes <= wire::header_bytes_max, "a header has a known length");
    require(message.body.data() == payload.data() + header_bytes, "the body is the end of the payload");

    Buffer again;
    wire::write_header(again, message.header);
    require(again.size() <= header_bytes, "writing a header gives the shortest form");
    require(again.size() < header_bytes || same(again, payload.first(header_bytes)),
            "a header in its shortest form is written as it was read");
    again.append(message.body);
    const auto reread = wire::parse_message(again);
    require(reread.fault == nullptr && reread.header.kind == message.header.kind &&
                reread.header.error == message.header.error && reread.header.command == message.header.command &&
                reread.header.request_id == message.header.request_id && same(reread.body, message.body),
            "a header that was written reads the same");
}

template <class Hello, class Parse>
void check_hello(BytesView payload, Parse parse) {
    const Result<Hello> hello = parse(payload);
    if (!hello) {
        fuzz::require_printable(hello.error().message());
        return;
    }
    Buffer out;
    wire::write_hello(out, *hello);
    const auto cut = wire::cut_frame(out, out.size());
    require(cut.status == wire::FrameCut::Status::frame && cut.consumed() == out.size(), "a hello is one frame");
    require(out.size() > length_max || wire::foreign_protocol(out).empty(),
            "our own hello is not taken for another protocol");
    const Result<Hello> reread = parse(cut.payload);
    require(reread.has_value(), "a hello that was written can be read");
    require(msgpack::encode(*reread) == msgpack::encode(*hello), "a hello that was written reads the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView stream{data, size};
    const auto whole = receive(stream, [size] { return size; });
    require(receive(stream, [] { return std::size_t{1}; }) == whole, "byte for byte gives the same frames");
    std::uint32_t state = size == 0 ? 1 : 1U + data[size - 1];
    const auto uneven = [&state] {
        state = state * 1664525 + 1013904223;
        return std::size_t{1} + (state >> 24U) % 13;
    };
    require(receive(stream, uneven) == whole, "uneven pieces give the same frames");

    Buffer again;
    for (const auto& frame : whole.frames) {
        const auto begin = wire::begin_frame(again);
        again.append(frame);
        wire::finish_frame(again, begin);
        check_message(frame);
    }
    again.append(whole.left);
    require(same(again, stream), "frames are written as they were read, and no byte is lost");

    // The same bytes without a prefix, so that inputs need not guess it.
    check_message(stream);
    check_hello<wire::ClientHello>(stream, wire::parse_client_hello);
    check_hello<wire::ServerHello>(stream, wire::parse_server_hello);
    const auto protocol = wire::foreign_protocol(stream);
    require(protocol.empty() || protocol == "HTTP" || protocol == "TLS" || protocol == "SSH",
            "a foreign protocol has a name");
    require(protocol.empty() || stream.size() >= 3, "a protocol is not guessed from less than three bytes");
    return 0;
}
