#pragma once
// For tests: a Protocol, what a server would send it at times of the test's choice, and what came of it.
#include "client/cpp/protocol.hpp"
#include "modules/echo/messages.hpp"

namespace gs::client {

struct Recorder final : ProtocolEvents {
    void on_entered(const wire::Entered& entered) override { player = entered.player; }
    void on_queued(const wire::Queued& now) override { queued.push_back(now.position); }
    void on_resumed(const wire::Entered& entered) override { resumed.push_back(entered.state); }
    void on_push(Command command, BytesView body) override {
        pushes.push_back(fmt::format("{} {}", command, msgpack::decode<echo::Echo>(body).value().text));
    }
    void on_away(const wire::Close& close) override { away.push_back(close); }
    void on_closed(const wire::Close& close) override { closed.push_back(close); }

    PlayerId player{};
    std::vector<std::string> pushes;
    std::vector<wire::SessionState> resumed;
    std::vector<std::uint32_t> queued;
    std::vector<wire::Close> away, closed;
};

struct Answer final : Pending {
    void finish(Result<BytesView> body) override {
        ++count;
        code = body ? Code::ok : body.error().code();
        message = body ? "" : body.error().message();
        if (body) text = msgpack::decode<echo::Echo>(*body).value().text;
    }
    int count = 0;
    Code code = Code::ok;
    std::string text, message;
};

/// A protocol with what a server would send it, at times of the test's choice.
struct Talk {
    Recorder events;
    Protocol protocol{events};
    Time now{std::chrono::hours{1}};
    Binary key = Binary(32, 5), nonce = Binary(16, 6);

    void hello(const wire::ServerHello& hello) {
        Buffer out;
        wire::write_hello(out, hello);
        protocol.receive(out, now);
    }
    template <class Body>
    void from_server(const wire::Header& header, const Body& body) {
        Buffer out;
        wire::write_framed(out, header, body);
        protocol.receive(out, now);
    }
    void enter(std::uint32_t heartbeat_ms = 0) {
        protocol.start("token", now);
        wire::ServerHello accepted;
        accepted.heartbeat_ms = heartbeat_ms;
        accepted.frame_bytes_max = 200;
        hello(accepted);
        wire::Entered fresh;
        fresh.player = PlayerId{7};
        fresh.session = 99;
        fresh.key = key;
        entered(fresh);
        protocol.output().clear();
    }
    void entered(const wire::Entered& body) {
        from_server({wire::Kind::reply, false, command_of<wire::Enter>, 0}, body);
    }
    void refuse(Code code) {
        from_server({wire::Kind::reply, true, command_of<wire::Enter>, 0}, wire::ErrorBody{code, "no"});
    }
    /// A new connection up to the client's Enter.
    wire::Enter come_back() {
        protocol.resume(now);
        protocol.output().clear();
        wire::ServerHello accepted;
        accepted.nonce = nonce;
        hello(accepted);
        const auto enter = msgpack::decode<wire::Enter>(sent().at(0).body).value();
        protocol.output().clear();
        return enter;
    }
    void resumed(wire::SessionState state, std::uint64_t received, std::uint64_t next) {
        wire::Entered body;
        body.state = state;
        body.received = received;
        body.next = next;
        entered(body);
    }
    std::shared_ptr<Answer> ask(std::string text, Duration deadline = std::chrono::seconds{5}) {
        auto answer = std::make_shared<Answer>();
        protocol.send(echo::Echo{std::move(text)}, now + deadline, answer);
        return answer;
    }
    void answer(std::uint64_t id, std::string text) {
        from_server({wire::Kind::reply, false, command_of<echo::Echo>, id}, echo::Echo{std::move(text)});
    }
    void answer(std::uint64_t id, std::string text, std::uint64_t number) {
        from_server({wire::Kind::reply, false, command_of<echo::Echo>, id, number}, echo::Echo{std::move(text)});
    }
    void push(std::string text, std::uint64_t number) {
        from_server({wire::Kind::push, false, 1300, 0, number}, echo::Echo{std::move(text)});
    }
    std::vector<wire::MessageView> sent() {
        std::vector<wire::MessageView> messages;
        auto left = protocol.output().view();
        while (!left.empty()) {
            const auto cut = wire::cut_frame(left, 1U << 20U);
            if (cut.status != wire::FrameCut::Status::frame) throw Error{Code::internal, "half a frame was sent"};
            messages.push_back(wire::parse_message(cut.payload));
            left = left.subspan(cut.consumed());
        }
        return messages;
    }
};

}  // namespace gs::client
