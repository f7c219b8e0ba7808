// The client's side of one protocol on one connection, without I/O: the load generator moves the bytes.
// Owner: the connection; views end with the call.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace gs::bench {

constexpr std::size_t payload_bytes = 64;

// What received() found in the bytes that it was given.
struct Found {
    unsigned replies = 0;
    unsigned pushes = 0;
    std::string error;  // empty when all is well
};

class Conversation {
public:
    Conversation() = default;
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;
    virtual ~Conversation() = default;

    // Appends what a client says first; called once, when connected.
    virtual void open(std::string&) {}
    // Whether requests may be sent (logged in, joined, ...).
    virtual bool ready() const { return true; }
    // Appends one request.
    virtual void request(std::string& out) = 0;
    // Appends what request() and received() have left to be sent together; called before each send.
    virtual void flush(std::string&) {}
    // Handles whole messages at the start of `bytes`, appends answers to `out`, gives how many bytes it took.
    virtual std::size_t received(std::string_view bytes, std::string& out, Found& found) = 0;
};

inline void append_u32(std::string& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
        out.push_back(static_cast<char>(value >> shift & 0xff));
    }
}

inline std::uint32_t read_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
        value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    return value;
}

// raw_echo: 64 bytes without a frame.
class RawConversation final : public Conversation {
public:
    void request(std::string& out) override { out.append(payload_bytes, 'x'); }
    std::size_t received(std::string_view bytes, std::string&, Found& found) override {
        found.replies = static_cast<unsigned>(bytes.size() / payload_bytes);
        return found.replies * payload_bytes;
    }
};

// raw_echo as a login: ready when the first 64 bytes are back.
class RawLogin final : public Conversation {
public:
    bool ready() const override { return ready_; }
    void open(std::string& out) override { out.append(payload_bytes, 'x'); }
    void request(std::string&) override {}
    std::size_t received(std::string_view bytes, std::string&, Found&) override {
        ready_ = bytes.size() >= payload_bytes;
        return ready_ ? payload_bytes : 0;
    }

private:
    bool ready_ = false;
};

// raw_relay: 4-byte length, 64 bytes that begin with the connection's number and a sequence, checked on return.
class FramedConversation final : public Conversation {
public:
    explicit FramedConversation(std::uint32_t number) : number_{number} {}

    void request(std::string& out) override {
        append_u32(out, payload_bytes);
        append_u32(out, number_);
        append_u32(out, sent_++);
        out.append(payload_bytes - 8, 'x');
    }
    std::size_t received(std::string_view bytes, std::string&, Found& found) override {
        constexpr std::size_t frame_bytes = 4 + payload_bytes;
        std::size_t used = 0;
        for (; bytes.size() - used >= frame_bytes; used += frame_bytes) {
            const auto frame = bytes.substr(used, frame_bytes);
            if (read_u32(frame) != payload_bytes || read_u32(frame.substr(4)) != number_ ||
                read_u32(frame.substr(8)) != answered_) {
                found.error = "a reply that matches no request";
                return used;
            }
            ++answered_;
            ++found.replies;
        }
        return used;
    }

private:
    std::uint32_t number_;
    std::uint32_t sent_ = 0;
    std::uint32_t answered_ = 0;
};

// A receiver of raw_broadcast: each payload is one push.
class RawReceiver final : public Conversation {
public:
    void request(std::string&) override {}
    std::size_t received(std::string_view bytes, std::string&, Found& found) override {
        found.pushes = static_cast<unsigned>(bytes.size() / payload_bytes);
        return found.pushes * payload_bytes;
    }
};

// The control connection of raw_broadcast: a request is one round; its report is kept.
class RawControl final : public Conversation {
public:
    void request(std::string& out) override { append_u32(out, 1); }
    static void ask_for_report(std::string& out) { append_u32(out, 0); }
    const std::string& report() const { return report_; }
    std::size_t received(std::string_view bytes, std::string&, Found& found) override {
        const auto end = bytes.find('\n');
        if (end == std::string_view::npos) {
            return 0;
        }
        report_ = bytes.substr(0, end);
        found.replies = 1;
        return end + 1;
    }

private:
    std::string report_;
};

}  // namespace gs::bench
