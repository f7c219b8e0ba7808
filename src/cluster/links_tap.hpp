#pragma once
// For tests of links: somebody who sits on the way of those who dial, and somebody who is no node at all.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/links_world.hpp"
#include "wire/frame.hpp"

namespace gs::cluster::links_test {

/// What passed on one connection of those who dial, and what somebody on the way does to it.
struct Wire {
    Binary sent, received;
    bool closed = false;
};
struct Spoiling {
    std::optional<std::size_t> sent, received;  ///< the byte to change
    std::optional<std::size_t> cut_sent;        ///< what comes after so many bytes is lost, and the connection ends
    std::uint8_t mask = 0x11;
};

class Tap final : public transport::Connection,
                  public transport::ConnectionHandler,
                  public std::enable_shared_from_this<Tap>,
                  private runtime::EndOfTurn {
public:
    Tap(runtime::Loop& loop, std::shared_ptr<transport::Connection> inner, std::shared_ptr<Wire> wire,
        const Spoiling& spoiling)
        : EndOfTurn{Phase::send}, loop_{loop}, inner_{std::move(inner)}, wire_{std::move(wire)}, spoiling_{spoiling} {}
    ~Tap() override { loop_.forget(*this); }

    void start(transport::ConnectionHandler& handler) override {
        const bool first = handler_ == nullptr;
        handler_ = &handler;
        if (first) inner_->start(*this);
    }
    Buffer& output() override {
        loop_.at_end_of_turn(*this);
        return held_;
    }
    void send(const SharedBytes& bytes) override { output().append(bytes); }
    std::size_t queued_bytes() const override { return held_.size() + inner_->queued_bytes(); }
    void set_reading(bool reading) override { inner_->set_reading(reading); }
    void set_background(bool background) override { inner_->set_background(background); }
    void close_after_send() override {
        end_of_turn();
        inner_->close_after_send();
        wire_->closed = true;
    }
    void close() override {
        inner_->close();
        wire_->closed = true;
    }
    std::string remote() const override { return inner_->remote(); }

    std::size_t on_bytes(BytesView bytes) override {
        in_.append(bytes);
        record(wire_->received, in_, in_.size() - bytes.size(), spoiling_.received);
        in_.consume(handler_->on_bytes(in_));
        return bytes.size();
    }
    void on_closed(const Error& why) override {
        wire_->closed = true;
        handler_->on_closed(why);
    }

private:
    void record(Binary& all, Buffer& bytes, std::size_t from, std::optional<std::size_t> spoiled) const {
        const auto before = all.size();
        const auto fresh = bytes.view().subspan(from);
        all.insert(all.end(), fresh.begin(), fresh.end());
        if (spoiled && *spoiled >= before && *spoiled < all.size())
            bytes.data()[from + *spoiled - before] ^= spoiling_.mask;
    }
    void end_of_turn() override {
        record(wire_->sent, held_, 0, spoiling_.sent);
        const auto sent = wire_->sent.size();
        const bool cuts = spoiling_.cut_sent && sent > *spoiling_.cut_sent && !wire_->closed;
        if (cuts) held_.resize_down(held_.size() - (sent - *spoiling_.cut_sent));
        inner_->output().append(held_);
        held_.clear();
        if (!cuts) return;
        inner_->close_after_send();
        wire_->closed = true;
        loop_.post([self = shared_from_this()] { self->handler_->on_closed({Code::unavailable, "cut"}); });
    }

    runtime::Loop& loop_;
    std::shared_ptr<transport::Connection> inner_;
    std::shared_ptr<Wire> wire_;
    Spoiling spoiling_;
    transport::ConnectionHandler* handler_ = nullptr;
    Buffer held_, in_;
};

/// A world of encrypted links with somebody on the way.
struct TappedWorld : World {
    explicit TappedWorld(Spoiling done = {}) : World{true}, spoiling{done} {
        counting.on_wire = [this](runtime::Loop& loop, std::shared_ptr<transport::Connection> inner) {
            wires.push_back(std::make_shared<Wire>());
            return std::make_shared<Tap>(loop, std::move(inner), wires.back(), spoiling);
        };
    }
    Spoiling spoiling;
    std::vector<std::shared_ptr<Wire>> wires;
};

/// Sends bytes to an address and keeps what comes back.
class Stranger final : public transport::ConnectionHandler {
public:
    Stranger(World& world, const std::string& address, BytesView bytes) {
        world.network.connect(world.loops.front(), address, 1s, [&](auto got) {
            connection_ = std::move(got).value();
            connection_->start(*this);
            connection_->output().append(bytes);
        });
        world.time.settle();
    }
    Stranger(const Stranger&) = delete;
    Stranger& operator=(const Stranger&) = delete;
    ~Stranger() { connection_->close(); }
    std::size_t on_bytes(BytesView bytes) override {
        received.insert(received.end(), bytes.begin(), bytes.end());
        return bytes.size();
    }
    void on_closed(const Error& /*why*/) override { closed = true; }
    bool closed = false;
    Binary received;

private:
    std::shared_ptr<transport::Connection> connection_;
};

/// Where each whole frame ends.
inline std::vector<std::size_t> frame_ends(BytesView bytes) {
    std::vector<std::size_t> ends;
    std::size_t at = 0;
    for (;;) {
        const auto cut = wire::cut_frame(bytes.subspan(at), bytes.size());
        if (cut.status != wire::FrameCut::Status::frame) return ends;
        at += cut.consumed();
        ends.push_back(at);
    }
}

}  // namespace gs::cluster::links_test
