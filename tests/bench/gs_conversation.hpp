// The gameserver's native dialect as the load generator speaks it: hello, enter by token, echo, save and broadcast.
// Written without the server's own code on purpose: what it sends is what a client in another language would send.
// As cheap for a message as the clients of the raw servers: a server that waits for its clients gets fewer requests in
// each read, and its figure would be theirs.
// Source: docs/protocol.md, modules/{echo,profile,chat}/messages.hpp
#pragma once

#include "conversation.hpp"

#include <cstdint>

namespace gs::bench {

// What request() asks for.
enum class GsRequest {
    echo,       // 64 bytes to the echo module and back
    save,       // one changed component of 512 bytes; the reply waits until it is durable
    broadcast,  // one message to the channel that every receiver has joined
    receive,    // no requests: a logged-in player that joined the channel
};

namespace command {
constexpr unsigned enter = 1, ping = 2, pong = 3, close = 4, ack = 5, echo = 1000, save = 1103, join = 1200, say = 1202,
                   said = 1204;
}

class GsConversation final : public Conversation {
public:
    GsConversation(std::uint32_t number, std::string token, GsRequest kind)
        : token_{std::move(token)}, kind_{kind}, body_{empty_body(kind, number)}, expected_{body_} {}

    bool ready() const override { return state_ == State::ready; }

    void open(std::string& out) override {
        // [protocol_min, protocol_max, client_version, features, handshake]
        append_frame(out, std::string{"GSP1\x95\x01\x01\xa4load\x00\xc4\x00", 15});
    }

    void request(std::string& out) override {
        static constexpr unsigned numbers[] = {command::echo, command::save, command::say, 0};
        if (kind_ == GsRequest::receive) {
            return;
        }
        write_sequence(body_, sent_);
        append_request(out, numbers[static_cast<unsigned>(kind_)], body_);
    }

    std::size_t received(std::string_view bytes, std::string& out, Found& found) override {
        std::size_t used = 0;
        while (bytes.size() - used >= 4 && found.error.empty()) {
            const std::size_t length = read_u32(bytes.substr(used));
            if (bytes.size() - used - 4 < length) {
                break;
            }
            handle(bytes.substr(used + 4, length), out, found);
            used += 4 + length;
        }
        return used;
    }

private:
    enum class State { hello, entering, joining, ready };
    static constexpr std::size_t save_bytes = 512;
    static constexpr unsigned session_flag = 0x10;
    static constexpr std::uint64_t acknowledge_on_request = 32, acknowledge_alone = 64;
    static constexpr const char* channel = "bench";

    static void append_frame(std::string& out, std::string_view payload) {
        append_u32(out, static_cast<std::uint32_t>(payload.size()));
        out.append(payload);
    }

    static void append_varint(std::string& out, std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) {
            out.push_back(static_cast<char>((value & 0x7f) | 0x80));
        }
        out.push_back(static_cast<char>(value));
    }

    static std::uint64_t take_varint(std::string_view& bytes) {
        std::uint64_t value = 0;
        for (unsigned shift = 0; !bytes.empty() && shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(bytes.front());
            bytes.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) {
                break;
            }
        }
        return value;
    }

    // Enter has the id 0; request ids count from 1, and the server answers one player in order.
    void append_enter(std::string& out) {
        append_frame(out, std::string{'\0', static_cast<char>(command::enter), '\0', '\0', '\x91'} + text(token_));
    }
    void append_request(std::string& out, unsigned number, std::string_view body) {
        const bool acknowledges = received_ - acknowledged_ >= acknowledge_on_request;
        const auto begin = out.size();
        const char header[] = {'\0',
                               '\0',
                               '\0',
                               '\0',
                               static_cast<char>(acknowledges ? session_flag : 0),
                               static_cast<char>(number & 0xff),
                               static_cast<char>(number >> 8)};
        out.append(header, sizeof header);
        append_varint(out, ++sent_);
        if (acknowledges) {
            acknowledged_ = received_;
            append_varint(out, received_);
        }
        out.append(body);
        const auto length = static_cast<std::uint32_t>(out.size() - begin - 4);
        for (unsigned byte = 0; byte < 4; ++byte) {
            out[begin + byte] = static_cast<char>(length >> (8 * byte) & 0xff);
        }
    }
    // For one that sends no requests.
    void append_ack(std::string& out) {
        std::string payload{'\3', static_cast<char>(command::ack), '\0', '\x91', '\xcf'};
        for (int shift = 56; shift >= 0; shift -= 8) {
            payload.push_back(static_cast<char>(received_ >> shift & 0xff));
        }
        acknowledged_ = received_;
        append_frame(out, payload);
    }

    // The session number of a reply or push, when it has one.
    void take_number(unsigned flags, std::string_view& rest, Found& found) {
        if ((flags & session_flag) == 0) {
            return;
        }
        const auto number = take_varint(rest);
        if (number != ++received_) {
            found.error = "message " + std::to_string(number) + " came where " + std::to_string(received_) + " was due";
        }
    }

    // A msgpack string.
    static std::string text(std::string_view value) {
        std::string out;
        if (value.size() < 32) {
            out.push_back(static_cast<char>(0xa0 | value.size()));
        } else if (value.size() < 256) {
            out = {'\xd9', static_cast<char>(value.size())};
        } else {
            out = {'\xda', static_cast<char>(value.size() >> 8), static_cast<char>(value.size() & 0xff)};
        }
        return out.append(value);
    }

    // The body of a request: all but the sequence in its text, which tells one request from all others.
    static std::string empty_body(GsRequest kind, std::uint32_t number) {
        std::string value(kind == GsRequest::save ? save_bytes : payload_bytes, 'x');
        write_hex(value, 0, number);
        write_hex(value, 9, 0);
        value[8] = value[17] = ' ';
        return kind == GsRequest::broadcast ? "\x92" + text(channel) + text(value) : "\x91" + text(value);
    }
    void write_sequence(std::string& body, std::uint32_t sequence) const {
        write_hex(body, body.size() - (kind_ == GsRequest::save ? save_bytes : payload_bytes) + 9, sequence);
    }
    static void write_hex(std::string& out, std::size_t at, std::uint32_t value) {
        for (unsigned digit = 0; digit < 8; ++digit) {
            out[at + digit] = "0123456789abcdef"[value >> (28 - 4 * digit) & 0xf];
        }
    }
    bool is_echo_of(std::string_view body, std::uint32_t sequence) {
        write_sequence(expected_, sequence);
        return body == expected_;
    }

    // What a person can read of a message that was not expected: its printable bytes.
    static std::string readable(std::string_view bytes) {
        std::string shown;
        for (const char byte : bytes.substr(0, 200)) {
            shown.push_back(byte >= 0x20 && byte < 0x7f ? byte : '.');
        }
        return shown;
    }

    void handle(std::string_view payload, std::string& out, Found& found) {
        if (state_ == State::hello) {
            if (payload.size() < 6 || payload.substr(0, 4) != "GSP1" || payload[5] != 0) {
                found.error = "the hello was refused: " + readable(payload);
                return;
            }
            append_enter(out);
            state_ = State::entering;
            return;
        }
        if (payload.size() < 3) {
            found.error = "a message is shorter than its header";
            return;
        }
        const auto flags = static_cast<unsigned char>(payload[0]);
        const auto number =
            static_cast<unsigned char>(payload[1]) | static_cast<unsigned>(static_cast<unsigned char>(payload[2])) << 8;
        auto rest = payload.substr(3);
        if ((flags & 3) == 1) {
            const auto id = take_varint(rest);
            take_number(flags, rest, found);
            reply(id, (flags & 4) != 0, rest, out, found);
        } else if ((flags & 3) == 2) {
            take_number(flags, rest, found);
            found.pushes += number == command::said ? 1 : 0;
        } else if (number == command::ping && payload.size() > 4) {
            std::string pong{payload.substr(0, 1)};
            pong += {static_cast<char>(command::pong), '\0', '\x91'};
            append_frame(out, pong.append(payload.substr(4, unsigned_bytes(payload[4]))));
        } else if (number == command::close) {
            found.error = "the server closes: " + readable(rest);
        }
        if (received_ - acknowledged_ >= acknowledge_alone) {
            append_ack(out);
        }
    }

    // How long a msgpack unsigned integer is that begins with this byte.
    static std::size_t unsigned_bytes(char first) {
        const auto tag = static_cast<unsigned char>(first);
        return tag >= 0xcc && tag <= 0xcf ? 1 + (std::size_t{1} << (tag - 0xcc)) : 1;
    }

    void reply(std::uint64_t id, bool is_error, std::string_view rest, std::string& out, Found& found) {
        if (is_error) {
            found.error = "request " + std::to_string(id) + " was refused: " + readable(rest);
            return;
        }
        if (state_ == State::entering) {
            state_ = State::ready;
            if (kind_ == GsRequest::receive || kind_ == GsRequest::broadcast) {
                append_request(out, command::join, "\x91" + text(channel));
                state_ = State::joining;
            }
            return;
        }
        if (id != ++answered_) {
            found.error = "the reply to request " + std::to_string(id) + " where that to " + std::to_string(answered_) +
                          " was due";
        } else if (state_ == State::joining) {
            state_ = State::ready;
        } else if (kind_ == GsRequest::echo && !is_echo_of(rest, answered_ - 1)) {
            found.error = "the echo of request " + std::to_string(id) + " is not what was sent: " + readable(rest);
        } else {
            ++found.replies;
        }
    }

    std::string token_;
    GsRequest kind_;
    std::string body_;      // of the requests
    std::string expected_;  // what comes back
    State state_ = State::hello;
    std::uint32_t sent_ = 0;
    std::uint32_t answered_ = 0;
    std::uint64_t received_ = 0;  // numbered messages
    std::uint64_t acknowledged_ = 0;
};

}  // namespace gs::bench
