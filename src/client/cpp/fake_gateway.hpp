#pragma once
// For tests: a gateway on loopback in a thread of its own that speaks the protocol, keeps sessions as the server does,
// and answers as the test says. It listens on two ports, as two gateways of one cluster do.
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>

#include "wire/message.hpp"
#include "wire/system.hpp"

namespace gs::client {

class FakeGateway {
public:
    class Connection;

    /// What outlives the connections of a player.
    struct Session {
        std::uint64_t name = 0;
        PlayerId player{};
        std::uint64_t received = 0;  // the client's requests up to this one
        std::uint64_t next = 1;      // the number of the next message
        std::deque<std::pair<std::uint64_t, Buffer>> kept;
        Connection* connection = nullptr;
        bool hung_up = false;  // for the handler

        /// A reliable push.
        template <Message P>
        void push(const P& body) {
            write({wire::Kind::push, false, command_of<P>, 0, next}, body);
        }
        template <class Body>
        void write(const wire::Header& header, const Body& body) {
            kept.emplace_back(next++, Buffer{});
            wire::write_framed(kept.back().second, header, body);
            if (connection != nullptr) connection->send(kept.back().second);
        }
        void acknowledged(std::uint64_t number) {
            while (!kept.empty() && kept.front().first <= number) kept.pop_front();
        }
    };

    class Connection : public std::enable_shared_from_this<Connection> {
    public:
        Connection(FakeGateway& gateway, asio::ip::tcp::socket socket)
            : gateway_{gateway}, socket_{std::move(socket)} {}

        PlayerId player{};

        template <Request R>
        void reply(const wire::MessageView& request, const ReplyOf<R>& body) {
            session_->write({wire::Kind::reply, false, command_of<R>, request.header.request_id, session_->next}, body);
        }
        void refuse(const wire::MessageView& request, Code code, std::string message) {
            const wire::ErrorBody body{code, std::move(message)};
            wire::Header header{wire::Kind::reply, true, request.header.command, request.header.request_id};
            if (!session_) return write(header, body);
            header.session = session_->next;
            session_->write(header, body);
        }
        /// Without a number.
        template <Message P>
        void push(const P& body) {
            const auto kind = command_of<P> < first_module_command ? wire::Kind::control : wire::Kind::push;
            write({kind, false, command_of<P>, 0}, body);
        }
        void close() {
            open_ = false;
            if (session_ && session_->connection == this) session_->connection = nullptr;
            asio::error_code ignored;
            socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
            socket_.close(ignored);
        }
        /// The connection breaks before the request in hand has arrived.
        void lose_request() {
            --session_->received;
            close();
        }
        void send(BytesView bytes) {
            asio::error_code ignored;
            if (open_) asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
        }
        [[nodiscard]] const std::shared_ptr<Session>& session() const { return session_; }

        void read() {
            socket_.async_read_some(asio::buffer(scratch_),
                                    [self = shared_from_this()](asio::error_code error, std::size_t count) {
                                        if (error) {
                                            self->close();
                                            self->gateway_.connections_.erase(self);
                                            return;
                                        }
                                        self->input_.append({self->scratch_.data(), count});
                                        self->take_frames();
                                        self->read();
                                    });
        }

    private:
        template <class Body>
        void write(const wire::Header& header, const Body& body) {
            Buffer out;
            wire::write_framed(out, header, body);
            send(out);
        }

        void take_frames() {
            while (open_) {
                const auto cut = wire::cut_frame(input_, 1U << 20U);
                if (cut.status != wire::FrameCut::Status::frame) return;
                if (!greeted_) {
                    greeted_ = true;
                    Buffer out;
                    wire::write_hello(out, gateway_.hello);
                    send(out);
                } else {
                    take(wire::parse_message(cut.payload));
                }
                input_.consume(cut.consumed());
            }
        }

        void take(const wire::MessageView& message) {
            const auto& header = message.header;
            if (header.command == command_of<wire::Enter>) {
                enter(message);
            } else if (header.command == command_of<wire::Ping>) {
                if (gateway_.answers_pings) push(wire::Pong{msgpack::decode<wire::Ping>(message.body).value().sent_us});
            } else if (header.command == command_of<wire::Ack>) {
                session_->acknowledged(msgpack::decode<wire::Ack>(message.body).value().received);
            } else if (header.command == command_of<wire::Leave>) {
                gateway_.sessions_.erase(session_->name);
            } else if (header.kind == wire::Kind::request) {
                take_request(message);
            }
        }

        void take_request(const wire::MessageView& message) {
            session_->acknowledged(message.header.session);
            if (message.header.request_id != session_->received + 1) return close();
            ++session_->received;
            if (gateway_.handler) gateway_.handler(*this, message);
        }

        void enter(const wire::MessageView& message) {
            const auto enter = msgpack::decode<wire::Enter>(message.body).value();
            if (enter.token == "bad") return refuse(message, Code::unauthenticated, "the token is expired");
            if (enter.token == "busy") return refuse(message, Code::busy, "full");
            if (enter.token.empty()) return resume(message, enter);
            session_ = std::make_shared<Session>();
            session_->name = ++gateway_.last_session_;
            gateway_.sessions_[session_->name] = session_;
            session_->player = PlayerId{std::stoull(enter.token)};
            let_in(message, wire::SessionState::fresh);
        }

        void resume(const wire::MessageView& message, const wire::Enter& enter) {
            const auto found = gateway_.sessions_.find(enter.session);
            if (found == gateway_.sessions_.end()) return refuse(message, Code::not_found, "the session is over");
            if (enter.proof != wire::session_proof(gateway_.key, gateway_.hello.nonce, enter))
                return refuse(message, Code::unauthenticated, "the proof is wrong");
            session_ = found->second;
            if (session_->connection != nullptr) session_->connection->close();
            session_->acknowledged(enter.received);
            if (gateway_.forgets) {
                session_->kept.clear();
                session_->next += 100;
            }
            let_in(message, gateway_.forgets ? wire::SessionState::gap : wire::SessionState::resumed);
            for (const auto& [number, frame] : session_->kept) send(frame);
        }

        void let_in(const wire::MessageView& message, wire::SessionState state) {
            player = session_->player;
            session_->connection = this;
            wire::Entered entered;
            entered.player = player;
            entered.session = session_->name;
            entered.key = gateway_.key;
            entered.state = state;
            entered.received = session_->received;
            entered.next = session_->kept.empty() ? session_->next : session_->kept.front().first;
            write({wire::Kind::reply, false, command_of<wire::Enter>, message.header.request_id}, entered);
        }

        FakeGateway& gateway_;
        asio::ip::tcp::socket socket_;
        std::array<std::uint8_t, 4096> scratch_{};
        Buffer input_;
        std::shared_ptr<Session> session_;  // once it has entered
        bool greeted_ = false, open_ = true;
    };

    using Handler = std::function<void(Connection&, const wire::MessageView&)>;

    explicit FakeGateway(Handler handle = {}) : handler{std::move(handle)} {
        hello.nonce = Binary(16, 7);
        for (auto& acceptor : acceptors_) accept(acceptor);
        thread_ = std::thread{[this] { io_.run(); }};
    }
    FakeGateway(const FakeGateway&) = delete;
    FakeGateway& operator=(const FakeGateway&) = delete;
    ~FakeGateway() {
        io_.stop();
        thread_.join();
        connections_.clear();
    }

    [[nodiscard]] std::uint16_t port() const { return ports_[0]; }
    [[nodiscard]] std::uint16_t other_port() const { return ports_[1]; }
    /// Runs on the gateway's thread.
    void run(std::function<void()> action) { asio::post(io_, std::move(action)); }
    /// The same for every connection.
    void each(std::function<void(Connection&)> action) {
        run([this, action = std::move(action)] {
            const auto all = connections_;
            for (const auto& connection : all) action(*connection);
        });
    }
    /// The gateway on the first port is gone for new connections.
    void stop_first() {
        run([this] { acceptors_[0].close(); });
    }

    // --- on the gateway's thread
    [[nodiscard]] const std::set<std::shared_ptr<Connection>>& connections() const { return connections_; }
    [[nodiscard]] std::map<std::uint64_t, std::shared_ptr<Session>>& sessions() { return sessions_; }
    [[nodiscard]] Session* session_of(PlayerId player) {
        for (const auto& [name, session] : sessions_) {
            if (session->player == player) return session.get();
        }
        return nullptr;
    }
    [[nodiscard]] asio::io_context& io() { return io_; }

    // Set before the first connection.
    Handler handler;
    wire::ServerHello hello;
    Binary key = Binary(32, 9);
    bool answers_pings = true;
    bool forgets = false;  ///< what was not acknowledged is lost: resuming ends in a gap

private:
    void accept(asio::ip::tcp::acceptor& acceptor) {
        acceptor.async_accept([this, &acceptor](asio::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            socket.set_option(asio::ip::tcp::no_delay{true});
            const auto connection = std::make_shared<Connection>(*this, std::move(socket));
            connections_.insert(connection);
            connection->read();
            accept(acceptor);
        });
    }

    asio::io_context io_{1};
    asio::ip::tcp::endpoint any_port_{asio::ip::make_address_v4("127.0.0.1"), 0};
    std::array<asio::ip::tcp::acceptor, 2> acceptors_{asio::ip::tcp::acceptor{io_, any_port_},
                                                      asio::ip::tcp::acceptor{io_, any_port_}};
    std::array<std::uint16_t, 2> ports_{acceptors_[0].local_endpoint().port(), acceptors_[1].local_endpoint().port()};
    std::set<std::shared_ptr<Connection>> connections_;
    std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
    std::uint64_t last_session_ = 0;
    std::thread thread_;
};

}  // namespace gs::client
