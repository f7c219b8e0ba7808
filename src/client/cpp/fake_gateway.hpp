#pragma once
// For tests: a gateway on loopback in a thread of its own that speaks the protocol and answers as the test says.
#include <functional>
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
    class Connection : public std::enable_shared_from_this<Connection> {
    public:
        Connection(FakeGateway& gateway, asio::ip::tcp::socket socket)
            : gateway_{gateway}, socket_{std::move(socket)} {}

        PlayerId player{};

        template <Request R>
        void reply(const wire::MessageView& request, const ReplyOf<R>& body) {
            write({wire::Kind::reply, false, command_of<R>, request.header.request_id}, body);
        }
        void refuse(const wire::MessageView& request, Code code, std::string message) {
            write({wire::Kind::reply, true, request.header.command, request.header.request_id},
                  wire::ErrorBody{code, std::move(message)});
        }
        template <Message P>
        void push(const P& body) {
            const auto kind = command_of<P> < first_module_command ? wire::Kind::control : wire::Kind::push;
            write({kind, false, command_of<P>, 0}, body);
        }
        void close() {
            asio::error_code ignored;
            socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
            socket_.close(ignored);
        }
        void send(BytesView bytes) {
            asio::error_code ignored;
            asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
        }

        void read() {
            socket_.async_read_some(asio::buffer(scratch_),
                                    [self = shared_from_this()](asio::error_code error, std::size_t count) {
                                        if (error) {
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
            for (;;) {
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
            if (message.header.command == command_of<wire::Enter>) {
                const auto token = msgpack::decode<wire::Enter>(message.body).value().token;
                if (token == "bad") return refuse(message, Code::unauthenticated, "the token is expired");
                player = PlayerId{token.empty() ? 1 : std::stoull(token)};
                reply<wire::Enter>(message, {player, 0});
            } else if (message.header.command == command_of<wire::Ping>) {
                if (gateway_.answers_pings) push(wire::Pong{msgpack::decode<wire::Ping>(message.body).value().sent_us});
            } else if (gateway_.handler) {
                gateway_.handler(*this, message);
            }
        }

        FakeGateway& gateway_;
        asio::ip::tcp::socket socket_;
        std::array<std::uint8_t, 4096> scratch_{};
        Buffer input_;
        bool greeted_ = false;
    };

    using Handler = std::function<void(Connection&, const wire::MessageView&)>;

    explicit FakeGateway(Handler handle = {}) : handler{std::move(handle)} {
        accept();
        thread_ = std::thread{[this] { io_.run(); }};
    }
    FakeGateway(const FakeGateway&) = delete;
    FakeGateway& operator=(const FakeGateway&) = delete;
    ~FakeGateway() {
        io_.stop();
        thread_.join();
        connections_.clear();
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Runs on the gateway's thread, for every connection.
    void each(std::function<void(Connection&)> action) {
        asio::post(io_, [this, action = std::move(action)] {
            const auto all = connections_;
            for (const auto& connection : all) action(*connection);
        });
    }
    [[nodiscard]] const std::set<std::shared_ptr<Connection>>& connections() const { return connections_; }
    [[nodiscard]] asio::io_context& io() { return io_; }

    // Set before the first connection.
    Handler handler;
    wire::ServerHello hello;
    bool answers_pings = true;

private:
    void accept() {
        acceptor_.async_accept([this](asio::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            socket.set_option(asio::ip::tcp::no_delay{true});
            const auto connection = std::make_shared<Connection>(*this, std::move(socket));
            connections_.insert(connection);
            connection->read();
            accept();
        });
    }

    asio::io_context io_{1};
    asio::ip::tcp::acceptor acceptor_{io_, {asio::ip::make_address_v4("127.0.0.1"), 0}};
    std::uint16_t port_ = acceptor_.local_endpoint().port();
    std::set<std::shared_ptr<Connection>> connections_;
    std::thread thread_;
};

}  // namespace gs::client
