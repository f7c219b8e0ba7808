#pragma once
// The C++ kit's protocol as a client of a TestCluster, on a connection that the test may spoil.
#include <catch2/catch.hpp>

#include "client/cpp/protocol.hpp"
#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"

namespace gs::scenarios {

inline PublicKey zone_root() { return load_public_key(key_directory() / "zone.pub").value(); }

class KitClient final : private transport::ConnectionHandler, private client::ProtocolEvents {
public:
    explicit KitClient(TestCluster& cluster, const std::string& gateway = {}, std::vector<PublicKey> roots = {},
                       std::uint64_t features = wire::feature::all)
        : cluster_{cluster}, protocol_{*this, options(cluster, std::move(roots), features)} {
        const auto address = cluster.gateway_address(gateway.empty() ? cluster.first_gateway() : gateway);
        cluster.network().connect(cluster.client_loop(), address, 1s,
                                  [&](auto result) { connection_ = std::move(result).value(); });
        REQUIRE(cluster.run_until([&] { return connection_ != nullptr; }));
        connection_->start(*this);
    }
    KitClient(const KitClient&) = delete;
    KitClient& operator=(const KitClient&) = delete;
    ~KitClient() override { connection_->close(); }

    /// False: it was not let in, `why` says why, or nothing came.
    bool enter(PlayerId who) {
        token = cluster_.token(who);
        protocol_.start(token, cluster_.client_loop().now());
        flush();
        static_cast<void>(cluster_.run_until([this] { return entered_ || !why.empty(); }, 13s));
        protocol_.tick(cluster_.client_loop().now());
        return entered_;
    }
    void begin_echo(std::string text) {
        waiting_ = std::make_shared<Waiting>();
        protocol_.send(echo::Echo{std::move(text)}, cluster_.client_loop().now() + 5s, waiting_);
        flush();
    }
    /// The answer, or the error's message.
    std::string finish_echo() {
        flush();
        static_cast<void>(cluster_.run_until([&] { return waiting_->answer.has_value(); }, 5s));
        return waiting_->answer.value_or("no answer");
    }
    std::string echo(std::string text) {
        begin_echo(std::move(text));
        return finish_echo();
    }
    template <Request R>
    void send(const R& message) {
        struct Ignored final : client::Pending {
            void finish(Result<BytesView> /*body*/) override {}
        };
        protocol_.send(message, cluster_.client_loop().now() + 5s, std::make_shared<Ignored>());
        flush();
        cluster_.advance(5ms);
    }
    void set_reading(bool reading) { connection_->set_reading(reading); }
    void send_raw(BytesView bytes) { connection_->output().append(bytes); }
    [[nodiscard]] bool encrypted() const { return protocol_.encrypted(); }

    // --- somebody on the way flips the bits of one byte of what is sent or received; counted from the beginning
    std::optional<std::size_t> spoiled_sent, spoiled_received;
    Binary sent, received;
    runtime::Duration clock_behind{};  // its own clock
    bool hold_sent = false;            // it is written and does not leave
    std::string token, why;
    std::vector<Command> pushes;

private:
    struct Waiting final : client::Pending {
        void finish(Result<BytesView> body) override {
            answer = body ? msgpack::decode<echo::Echo>(*body).value().text : body.error().message();
        }
        std::optional<std::string> answer;
    };
    client::ProtocolOptions options(TestCluster& cluster, std::vector<PublicKey> roots, std::uint64_t features) {
        client::ProtocolOptions options;
        options.roots = std::move(roots);
        options.zone = "default";
        options.features = features;
        options.milliseconds = [this, &cluster] {
            return static_cast<std::uint64_t>((cluster.client_loop().now().time_since_epoch() + 1h - clock_behind) /
                                              1ms);
        };
        options.unix_seconds = [&cluster] {
            return std::chrono::duration_cast<std::chrono::seconds>(cluster.time().wall_now().time_since_epoch())
                .count();
        };
        return options;
    }
    static void carry(Binary& all, BytesView bytes, const std::optional<std::size_t>& spoiled) {
        const auto before = all.size();
        all.insert(all.end(), bytes.begin(), bytes.end());
        if (spoiled && *spoiled >= before && *spoiled < all.size()) all[*spoiled] ^= 0x11U;
    }
    void flush() {
        auto& output = protocol_.output();
        carry(sent, output, spoiled_sent);
        output.clear();
        if (hold_sent) return;
        connection_->output().append(BytesView{sent}.subspan(left_));
        left_ = sent.size();
    }
    std::size_t on_bytes(BytesView bytes) override {
        const auto before = received.size();
        carry(received, bytes, spoiled_received);
        protocol_.receive(BytesView{received}.subspan(before), cluster_.client_loop().now());
        flush();
        return bytes.size();
    }
    void on_closed(const Error& error) override { protocol_.lost(error.message()); }
    void on_entered(const wire::Entered& /*entered*/) override { entered_ = true; }
    void on_queued(const wire::Queued& /*queued*/) override {}
    void on_resumed(const wire::Entered& /*entered*/) override {}
    void on_push(Command command, BytesView /*body*/) override { pushes.push_back(command); }
    void on_away(const wire::Close& close) override { why = "away: " + close.reason; }
    void on_closed(const wire::Close& close) override { why = "closed: " + close.reason; }

    TestCluster& cluster_;
    client::Protocol protocol_;
    std::shared_ptr<transport::Connection> connection_;
    std::shared_ptr<Waiting> waiting_;
    std::size_t left_ = 0;  // of what was sent
    bool entered_ = false;
};

}  // namespace gs::scenarios
