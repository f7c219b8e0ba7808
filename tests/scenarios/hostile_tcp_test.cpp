// The same over real sockets, where the kernel's buffers and resets take part.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"
#include "tests/scenarios/real_node.hpp"

namespace gs::scenarios {

namespace {

const std::map<std::string, SettingScalar> unlimited{{"gateway.messages_per_second_max", std::int64_t{0}},
                                                     {"gateway.bytes_per_second_max", std::int64_t{0}}};

/// A blocking socket that gives up after 20 s.
class Socket {
public:
    Socket(const std::string& address, int receive_bytes) : descriptor_{::socket(AF_INET, SOCK_STREAM, 0)} {
        const timeval limit{20, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (receive_bytes > 0) ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
        const auto parts = transport::parse_host_port(address).value();
        sockaddr_in end{};
        end.sin_family = AF_INET;
        end.sin_port = htons(parts.port);
        ::inet_pton(AF_INET, parts.host.c_str(), &end.sin_addr);
        REQUIRE(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&end), sizeof end) == 0);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() { ::close(descriptor_); }

    /// False when the other side has ended it.
    bool send(BytesView bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
        }
        return true;
    }
    std::string receive_all() {
        std::string text;
        char part[4096];
        for (;;) {
            const auto count = ::recv(descriptor_, part, sizeof part, 0);
            if (count <= 0) return text;
            text.append(part, static_cast<std::size_t>(count));
        }
    }
    /// Exactly one frame's payload.
    std::string receive_frame() {
        std::uint8_t prefix[4];
        if (::recv(descriptor_, prefix, 4, MSG_WAITALL) != 4) return {};
        std::string payload(prefix[0] | prefix[1] << 8 | prefix[2] << 16, '\0');
        const auto count = ::recv(descriptor_, payload.data(), payload.size(), MSG_WAITALL);
        return count == static_cast<ssize_t>(payload.size()) ? payload : std::string{};
    }

private:
    int descriptor_;
};

std::string real_token(PlayerId who) {
    TokenClaims claims;
    claims.player = who;
    claims.account = "tester";
    claims.issued = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    claims.expires = claims.issued + 600s;
    claims.zone = "default";
    return sign_token(token_key(), claims);
}

void enter(Socket& socket, PlayerId who) {
    Buffer out;
    wire::write_hello(out, wire::ClientHello{});
    wire::write_framed(out, {wire::Kind::request, false, command_of<wire::Enter>, 0}, wire::Enter{real_token(who)});
    REQUIRE(socket.send(out));
    REQUIRE_FALSE(socket.receive_frame().empty());
    const auto entered = socket.receive_frame();
    const auto message = wire::parse_message(as_bytes(entered));
    REQUIRE(message.fault == nullptr);
    REQUIRE_FALSE(message.header.error);
}

}  // namespace

TEST_CASE("a browser on the real game port can read the whole answer", "[scenario][tcp][hostile]") {
    RealNode node;
    Socket browser{node.gateway(), 0};
    REQUIRE(browser.send(as_bytes("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\n\r\n")));
    const auto answer = browser.receive_all();
    CHECK(answer.substr(0, 29) == "HTTP/1.1 426 Upgrade Required");
    CHECK_THAT(answer, Catch::Contains("Players log in over HTTP at the address of the login role."));
}

TEST_CASE("a refused hello reaches a client that has sent more than was read", "[scenario][tcp][hostile]") {
    RealNode node;
    Socket stranger{node.gateway(), 0};
    REQUIRE(stranger.send(Binary(100'000, 0xff)));
    CHECK_THAT(stranger.receive_all(), Catch::Contains("at most 4096 are allowed here"));
}

TEST_CASE("a client that never reads is closed over real sockets too: slow_reader_bound", "[scenario][tcp][hostile]") {
    RealNode node{unlimited};
    Socket witness{node.gateway(), 0};
    enter(witness, player(1));
    Socket deaf{node.gateway(), 4096};
    enter(deaf, player(2));

    std::uint64_t id = 0;
    const auto request = [&id] {
        Buffer frame;
        wire::write_framed(frame, {wire::Kind::request, false, command_of<echo::Echo>, ++id},
                           echo::Echo{std::string(8000, 'x')});
        return frame;
    };
    // What it sends after the server closed is read and dropped for at most a second.
    const auto limit = std::chrono::steady_clock::now() + 10s;
    bool open = true;
    while (open && std::chrono::steady_clock::now() < limit) open = deaf.send(request());
    CHECK_FALSE(open);
    CHECK(node.metric("gameserver_client_slow_total") >= 1);

    id = 0;
    REQUIRE(witness.send(request()));
    CHECK(witness.receive_frame().size() > 8000);
}

TEST_CASE("frames stay whole after partial writes: partial_write_closes", "[scenario][tcp][hostile][NET-02]") {
    RealNode node{unlimited};
    Socket slow{node.gateway(), 4096};
    enter(slow, player(2));
    const auto text_of = [](std::uint64_t id) { return std::string(3000, static_cast<char>('a' + id % 26)); };
    std::uint64_t asked = 0, answered = 0;
    // It reads one answer for two requests. Once the kernel's buffers are full, each write is taken in part; when the
    // gateway's own queue is full too, the connection ends, and what it has sent until then ends within a frame at most.
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < limit) {
        Buffer frames;
        for (const auto id : {asked + 1, asked + 2}) {
            wire::write_framed(frames, {wire::Kind::request, false, command_of<echo::Echo>, id},
                               echo::Echo{text_of(id)});
        }
        if (slow.send(frames)) asked += 2;
        const auto payload = slow.receive_frame();
        if (payload.empty()) break;
        const auto message = wire::parse_message(as_bytes(payload));
        REQUIRE(message.fault == nullptr);
        if (message.header.kind != wire::Kind::reply) continue;
        REQUIRE(message.header.request_id == ++answered);
        const bool is_whole = msgpack::decode<echo::Echo>(message.body).value().text == text_of(answered);
        REQUIRE(is_whole);
    }
    CHECK(node.metric("gameserver_client_slow_total") == 1);
    CHECK(answered > 100);
    CHECK(answered < asked);
}

}  // namespace gs::scenarios
