#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <future>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "runtime/epoll_loop.hpp"
#include "tests/scenarios/own_sockets.hpp"
#include "transport/tcp/tcp_transport.hpp"

using namespace gs;
using namespace gs::transport;
using namespace std::chrono_literals;

namespace {

/// A loop on a thread of its own; the test asks it questions.
class LoopThread {
public:
    LoopThread() : thread_{[this] { loop.run(); }} {}
    ~LoopThread() {
        loop.stop();
        thread_.join();
    }
    template <class Function>
    auto ask(Function function) {
        const auto promise = std::make_shared<std::promise<std::invoke_result_t<Function>>>();
        auto answer = promise->get_future();
        loop.post([&function, promise] {
            if constexpr (std::is_void_v<std::invoke_result_t<Function>>) {
                function();
                promise->set_value();
            } else {
                promise->set_value(function());
            }
        });
        return answer.get();
    }
    template <class Condition>
    bool eventually(Condition condition) {
        const auto until = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < until) {
            if (ask(condition)) return true;
            const auto later = std::make_shared<std::promise<void>>();
            auto passed = later->get_future();
            loop.post([this, later] { loop.after(1ms, [later] { later->set_value(); }); });
            passed.wait();
        }
        return false;
    }
    runtime::EpollLoop loop{"test", 1};

private:
    std::thread thread_;
};

/// A client of plain blocking sockets.
class Client {
public:
    explicit Client(const std::string& address) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
        const auto parts = parse_host_port(address).value();
        const timeval patience{20, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        sockaddr_in end{};
        end.sin_family = AF_INET;
        end.sin_port = htons(parts.port);
        end.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&end), sizeof(end)) == 0);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { hang_up(); }

    void hang_up() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }
    void cut() {
        const linger none{1, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        hang_up();
    }
    bool send(std::string_view text) const {
        while (!text.empty()) {
            const auto sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    /// Reads `wanted` bytes in pieces of at most `piece`; less when the stream ends. `error` is errno of the end.
    std::string receive(std::size_t wanted, std::size_t piece = 64 * 1024) {
        std::string text;
        std::string part(piece, '\0');
        while (text.size() < wanted) {
            const auto count = ::recv(socket_, part.data(), std::min(piece, wanted - text.size()), 0);
            error = count < 0 ? errno : 0;
            if (count <= 0) break;
            text.append(part, 0, static_cast<std::size_t>(count));
        }
        return text;
    }
    int error = 0;

private:
    int socket_;
};

/// One accepted connection.
struct Session final : ConnectionHandler {
    Session(std::shared_ptr<Connection> given, std::size_t multiple, bool echo)
        : connection{std::move(given)}, takes_multiple_of{multiple}, echoes{echo} {
        connection->start(*this);
    }
    std::size_t on_bytes(BytesView bytes) override {
        longest = std::max(longest, bytes.size());
        const auto taken = bytes.size() - bytes.size() % takes_multiple_of;
        received += as_text(bytes.first(taken));
        if (echoes) connection->output().append(bytes.first(taken));
        return taken;
    }
    void on_closed(const Error& why) override {
        closed = why.message();
        if (then) then();
    }

    std::shared_ptr<Connection> connection;
    std::size_t takes_multiple_of;
    bool echoes;
    std::string received;
    std::size_t longest = 0;  // piece
    std::optional<std::string> closed;
    std::function<void()> then;
};

struct Server {
    explicit Server(bool echo = true, std::size_t multiple = 1, ListenOptions options = {}) {
        thread.ask([&] {
            listener =
                transport
                    ->listen(thread.loop, "127.0.0.1:0", options,
                             [this, echo, multiple](auto connection) {
                                 sessions.push_back(std::make_unique<Session>(std::move(connection), multiple, echo));
                             })
                    .value();
        });
        address = listener->address();
    }
    ~Server() {
        thread.ask([&] {
            listener.reset();
            for (auto& session : sessions) session->connection->close();
            sessions.clear();
        });
    }
    bool accepted(std::size_t count) {
        return thread.eventually([&] { return sessions.size() == count; });
    }

    LoopThread thread;
    std::unique_ptr<Transport> transport = make_tcp_transport();
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Session>> sessions;
    std::string address;
};

std::string random_text(std::size_t size) {
    std::mt19937_64 random{size};
    std::string text(size, '\0');
    for (auto& letter : text) letter = static_cast<char>(random());
    return text;
}

}  // namespace

TEST_CASE("a megabyte comes back as it went through small writes and tiny reads", "[transport][tcp][NET-01][NET-02]") {
    const auto multiple = GENERATE(std::size_t{1}, std::size_t{8});
    Server server{true, multiple};
    Client client{server.address};
    const auto text = random_text(1U << 20U);
    std::thread writer{[&] {
        for (std::size_t at = 0; at < text.size();) {
            const auto size = std::min<std::size_t>(1 + at % 3001, text.size() - at);
            if (!client.send(std::string_view{text}.substr(at, size))) return;
            at += size;
        }
    }};
    const auto back = client.receive(text.size(), 97);
    writer.join();
    CHECK((back == text));
}

TEST_CASE("a turn that writes very much begins to send before its end", "[transport][tcp][NET-02]") {
    Server server{false};
    Client client{server.address};
    REQUIRE(server.accepted(1));
    const auto text = random_text(256U * 1024);
    const auto queued = server.thread.ask([&] {
        auto& connection = *server.sessions[0]->connection;
        for (std::size_t at = 0; at < text.size(); at += 64U * 1024)
            connection.output().append(as_bytes(std::string_view{text}.substr(at, 64U * 1024)));
        connection.send(SharedBytes{as_bytes("the end")});
        return connection.queued_bytes();
    });
    CHECK(queued < text.size());
    CHECK((client.receive(text.size() + 7) == text + "the end"));
}

TEST_CASE("what the handler does not take comes again in front of what follows", "[transport][tcp][NET-02]") {
    Server server{false, 10};
    Client client{server.address};
    REQUIRE(client.send("0123456"));
    REQUIRE(server.accepted(1));
    auto& session = *server.sessions[0];
    REQUIRE(client.send("789abc"));
    CHECK(server.thread.eventually([&] { return session.received == "0123456789"; }));
    REQUIRE(client.send("defghij"));
    CHECK(server.thread.eventually([&] { return session.received == "0123456789abcdefghij"; }));
}

TEST_CASE("the last message arrives although bytes of the other side were never read", "[transport][tcp][NET-01]") {
    Server server{false};
    Client client{server.address};
    REQUIRE(server.accepted(1));
    auto& session = *server.sessions[0];
    server.thread.ask([&] { session.connection->set_reading(false); });
    REQUIRE(client.send(std::string(60'000, 'u')));
    const auto last = random_text(60'000);
    server.thread.ask([&] {
        session.connection->output().append(as_bytes(last));
        session.connection->close_after_send();
    });
    REQUIRE(client.send(std::string(1'000, 'u')));
    const auto got = client.receive(last.size() + 1);
    CHECK((got == last));
    CHECK(client.error == 0);
    CHECK_FALSE(server.thread.ask([&] { return session.closed.has_value(); }));
}

TEST_CASE("who never hangs up is closed a second after the last message", "[transport][tcp][NET-01]") {
    Server server{false};
    Client client{server.address};
    REQUIRE(server.accepted(1));
    server.thread.ask([&] { server.sessions[0]->connection->close_after_send(); });
    CHECK(client.receive(1).empty());
    CHECK(server.thread.eventually([&] { return !client.send("x"); }));
}

TEST_CASE("a reader that stops holds up nobody else and gets everything later", "[transport][tcp][NET-11]") {
    Server server;
    Client lazy{server.address};
    REQUIRE(server.accepted(1));
    Client eager{server.address};
    REQUIRE(server.accepted(2));
    auto& connection = *server.sessions[0]->connection;
    const auto block = random_text(1U << 20U);
    const SharedBytes shared{as_bytes(block)};
    std::string expected;
    for (int round = 0; round < 16; ++round) {
        const auto line = fmt::format("line {};", round);
        server.thread.ask([&] {
            connection.output().append(as_bytes(line));
            connection.send(shared);
        });
        expected += line;
        expected += block;
    }
    CHECK(server.thread.ask([&] { return connection.queued_bytes(); }) > block.size());
    REQUIRE(eager.send("anyone there?"));
    CHECK(eager.receive(13) == "anyone there?");
    SECTION("it reads on") {
        CHECK((lazy.receive(expected.size()) == expected));
        CHECK(server.thread.eventually([&] { return connection.queued_bytes() == 0; }));
    }
    SECTION("it goes away") {
        lazy.hang_up();
        CHECK(server.thread.eventually([&] { return server.sessions[0]->closed.has_value(); }));
        CHECK(server.thread.ask([&] { return connection.queued_bytes(); }) == 0);
    }
    REQUIRE(eager.send("and now?"));
    CHECK(eager.receive(8) == "and now?");
}

TEST_CASE("bytes are not read while reading is off", "[transport][tcp][NET-11]") {
    Server server;
    Client client{server.address};
    REQUIRE(client.send("one"));
    REQUIRE(server.accepted(1));
    REQUIRE(client.receive(3) == "one");
    auto& session = *server.sessions[0];
    server.thread.ask([&] { session.connection->set_reading(false); });
    REQUIRE(client.send("two"));
    // Another conversation goes to and fro meanwhile, so that the loop surely looked.
    Client other{server.address};
    REQUIRE(other.send("x"));
    REQUIRE(other.receive(1) == "x");
    CHECK(server.thread.ask([&] { return session.received; }) == "one");
    server.thread.ask([&] { session.connection->set_reading(true); });
    CHECK(client.receive(3) == "two");
}

TEST_CASE("who is in the background is read in small pieces, and all of it", "[transport][tcp][NET-14]") {
    Server server;
    Client client{server.address};
    REQUIRE(server.accepted(1));
    const auto text = random_text(64 * 1024);
    for (const bool background : {true, false}) {
        server.thread.ask([&] {
            auto& session = *server.sessions[0];
            session.received.clear();
            session.longest = 0;
            session.connection->set_reading(false);
            session.connection->set_background(background);
        });
        REQUIRE(client.send(text));
        server.thread.ask([&] { server.sessions[0]->connection->set_reading(true); });
        CHECK(client.receive(text.size()) == text);
        CHECK(server.thread.ask([&] { return server.sessions[0]->received == text; }));
        CHECK(server.thread.ask([&] { return server.sessions[0]->longest <= 4096; }) == background);
    }
}

TEST_CASE("who was in the background ends after what others say", "[transport][tcp][NET-14]") {
    const bool cut = GENERATE(false, true);
    Server server;
    Client first{server.address};
    REQUIRE(server.accepted(1));
    const Client second{server.address};
    REQUIRE(server.accepted(2));
    std::string heard_before;
    server.thread.ask([&] {
        server.sessions[0]->connection->set_background(true);
        server.sessions[0]->connection->set_background(false);
        server.sessions[0]->then = [&] { heard_before = server.sessions[1]->received; };
        cut ? first.cut() : first.hang_up();
        REQUIRE(second.send("still here"));
    });
    CHECK(server.thread.eventually([&] { return server.sessions[0]->closed.has_value(); }));
    CHECK(heard_before == "still here");
    CHECK(*server.sessions[0]->closed ==
          (cut ? "the connection was lost: Connection reset by peer" : "the other side closed the connection"));
}

TEST_CASE("both sides hear who closed and a closed connection says nothing more", "[transport][tcp][NET-01]") {
    Server server;
    SECTION("the other side") {
        Client client{server.address};
        REQUIRE(server.accepted(1));
        client.hang_up();
        REQUIRE(server.thread.eventually([&] { return server.sessions[0]->closed.has_value(); }));
        CHECK_THAT(*server.sessions[0]->closed, Catch::Contains("closed"));
        server.thread.ask([&] { server.sessions[0]->connection->output().append(as_bytes("to nobody")); });
        server.thread.ask([&] { server.sessions[0]->connection->close_after_send(); });
    }
    SECTION("this side") {
        Client client{server.address};
        REQUIRE(server.accepted(1));
        server.thread.ask([&] { server.sessions[0]->connection->close(); });
        CHECK(client.receive(1).empty());
        CHECK_FALSE(server.thread.ask([&] { return server.sessions[0]->closed.has_value(); }));
    }
}

TEST_CASE("connecting speaks with a listener of the same transport", "[transport][tcp][CLU-06]") {
    Server server;
    std::unique_ptr<Session> near;
    server.thread.ask([&] {
        server.transport->connect(server.thread.loop, server.address, 5s, [&](auto got) {
            near = std::make_unique<Session>(std::move(got).value(), 1, false);
            near->connection->output().append(as_bytes("hello"));
        });
    });
    CHECK(server.thread.eventually([&] { return near != nullptr && near->received == "hello"; }));
    CHECK(near->connection->remote() == server.address);
    server.thread.ask([&] { near->connection->close(); });
}

TEST_CASE("what is set for a listener holds for the connections that it accepts", "[transport][tcp][NET-10][NET-11]") {
    using scenarios::find_own_socket;
    using scenarios::socket_option;
    ListenOptions options;
    options.backlog = 7;
    options.send_buffer_bytes = 20'000;
    options.receive_buffer_bytes = 30'000;
    options.keepalive = 31s;
    Server server{true, 1, options};
    const auto port = parse_host_port(server.address).value().port;
    CHECK(scenarios::backlog_of(find_own_socket(port, true).value()) == 7);
    const Client client{server.address};
    REQUIRE(server.accepted(1));
    const int accepted = find_own_socket(port, false).value();
    CHECK(socket_option(accepted, SOL_SOCKET, SO_SNDBUF) == 40'000);  // the system's own part is in it
    CHECK(socket_option(accepted, SOL_SOCKET, SO_RCVBUF) == 60'000);
    CHECK(socket_option(accepted, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(socket_option(accepted, IPPROTO_TCP, TCP_KEEPIDLE) == 31);
    CHECK(socket_option(accepted, IPPROTO_TCP, TCP_KEEPINTVL) == 10);
    CHECK(socket_option(accepted, IPPROTO_TCP, TCP_KEEPCNT) == 3);
    CHECK(socket_option(accepted, IPPROTO_TCP, TCP_NODELAY) == 1);
}

TEST_CASE("keepalive may be off, or as the system has it", "[transport][tcp][NET-10]") {
    using scenarios::find_own_socket;
    using scenarios::socket_option;
    const auto accepted_by = [](const ListenOptions& options) {
        Server server{true, 1, options};
        const Client client{server.address};
        REQUIRE(server.accepted(1));
        const int accepted = find_own_socket(parse_host_port(server.address).value().port, false).value();
        return std::array{socket_option(accepted, SOL_SOCKET, SO_KEEPALIVE),
                          socket_option(accepted, IPPROTO_TCP, TCP_KEEPIDLE),
                          socket_option(accepted, IPPROTO_TCP, TCP_KEEPINTVL)};
    };
    const int fresh = ::socket(AF_INET, SOCK_STREAM, 0);
    const auto idle = socket_option(fresh, IPPROTO_TCP, TCP_KEEPIDLE);
    const auto interval = socket_option(fresh, IPPROTO_TCP, TCP_KEEPINTVL);
    ::close(fresh);
    ListenOptions options;
    CHECK(accepted_by(options) == std::array{1, idle, interval});
    options.keepalive = 0s;
    CHECK(accepted_by(options)[0] == 0);
    options.keepalive = 1s;  // asked each second then
    CHECK(accepted_by(options) == std::array{1, 1, 1});

    Server server;
    std::shared_ptr<Connection> near;
    server.thread.ask([&] {
        server.transport->connect(server.thread.loop, server.address, 5s,
                                  [&](auto got) { near = std::move(got).value(); });
    });
    REQUIRE(server.thread.eventually([&] { return near != nullptr; }));
    const auto far = server.thread.ask([&] { return server.sessions.at(0)->connection->remote(); });
    const int connecting = find_own_socket(parse_host_port(far).value().port, false).value();
    CHECK(socket_option(connecting, SOL_SOCKET, SO_KEEPALIVE) == 1);
    server.thread.ask([&] { near->close(); });
}

TEST_CASE("while there is an objection nobody is accepted, and who waits is accepted after it",
          "[transport][tcp][NET-14]") {
    std::string objection = "no memory is left";
    ListenOptions options;
    options.objection = [&objection] { return objection; };
    Server server{true, 1, options};
    Client client{server.address};
    CHECK(client.send("hello"));
    REQUIRE(server.thread.eventually([&] { return server.listener->pauses() > 1; }));
    CHECK(server.thread.ask([&] { return server.sessions.empty(); }));
    server.thread.ask([&] { objection.clear(); });
    CHECK(client.receive(5, 5) == "hello");
    const auto pauses = server.thread.ask([&] { return server.listener->pauses(); });
    const Client second{server.address};
    REQUIRE(server.accepted(2));
    CHECK(server.thread.ask([&] { return server.listener->pauses(); }) == pauses);
}

TEST_CASE("a port in use is said with its number", "[transport][tcp][NET-10]") {
    Server server;
    const auto port = fmt::to_string(parse_host_port(server.address).value().port);
    CHECK(port != "0");
    const auto second = server.thread.ask(
        [&] { return server.transport->listen(server.thread.loop, server.address, {}, [](auto) {}); });
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == Code::conflict);
    CHECK_THAT(second.error().message(), Catch::Contains(port) && Catch::Contains("in use"));
    const auto name = server.thread.ask(
        [&] { return server.transport->listen(server.thread.loop, "somewhere:7000", {}, [](auto) {}); });
    REQUIRE_FALSE(name);
    CHECK_THAT(name.error().message(), Catch::Contains("somewhere"));
}

TEST_CASE("an attempt to connect that fails says why", "[transport][tcp][CLU-10]") {
    Server server;
    const auto attempt = [&](const std::string& address) {
        const auto outcome = std::make_shared<std::promise<Error>>();
        auto error = outcome->get_future();
        server.thread.ask([&] {
            server.transport->connect(server.thread.loop, address, 10s, [outcome](auto got) {
                outcome->set_value(got ? Error{Code::ok, "connected"} : got.error());
            });
        });
        return error.get();
    };
    SECTION("nobody listens") {
        server.thread.ask([&] { server.listener.reset(); });
        const auto error = attempt(server.address);
        CHECK(error.code() == Code::unavailable);
        CHECK_THAT(error.message(), Catch::Contains(server.address));
    }
    SECTION("the name is not one") {
        const auto error = attempt("no..such..name:7000");
        CHECK(error.code() == Code::unavailable);
        CHECK_THAT(error.message(), Catch::Contains("no..such..name"));
    }
    SECTION("the address is not one") {
        const auto error = attempt("nonsense");
        CHECK(error.code() == Code::invalid);
    }
}
