// The HTTP server with a certificate: who is served, and how it is renewed.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "storage/scratch_directory.hpp"
#include "tests/scenarios/http_fixture.hpp"
#include "tests/scenarios/self_signed.hpp"
#include "tests/scenarios/tls_socket.hpp"

using namespace gs;
using namespace gs::http;

namespace {

std::size_t thread_count() {
    const std::filesystem::directory_iterator tasks{"/proc/self/task"};
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

/// A thread that was joined may be seen in /proc for a moment more.
bool threads_become(std::size_t count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (thread_count() != count) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::yield();
    }
    return true;
}

std::string read_file(const std::string& name) {
    std::ifstream file{name};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// A server with a certificate, and files to make others.
struct TlsFixture : Fixture {
    explicit TlsFixture(HttpServerOptions options = {})
        : Fixture{[&] {
              options.tls = make("first");
              return std::move(options);
          }()} {}
    [[nodiscard]] static const storage::ScratchDirectory& directory() {
        static const storage::ScratchDirectory made;
        return made;
    }
    static HttpTls make(const std::string& owner) {
        scenarios::write_self_signed(directory().file(owner), owner);
        return {read_file(directory().file(owner + ".pem")), read_file(directory().file(owner + ".key"))};
    }
    [[nodiscard]] std::string address() const { return fmt::format("127.0.0.1:{}", server.port()); }
    [[nodiscard]] Result<HttpResponse> get(std::string_view path, const std::string& trusted) {
        return client.fetch({.url = fmt::format("https://{}{}", address(), path),
                             .ca_file = trusted.empty() ? "" : directory().file(trusted + ".pem")});
    }
};

}  // namespace

TEST_CASE("over TLS a request is answered, to clients that trust the certificate", "[http][tls][MSG-06]") {
    TlsFixture fixture;
    REQUIRE(fixture.get("/ping", "first").value().body == "pong");
    const std::string large(60'000, 'x');
    const auto echo = fixture.client.fetch({.method = "POST",
                                            .url = fmt::format("https://{}/echo", fixture.address()),
                                            .body = large,
                                            .ca_file = fixture.directory().file("first.pem")});
    REQUIRE(echo.value().body == large);

    const auto stranger = fixture.get("/ping", "");
    REQUIRE_FALSE(stranger);
    REQUIRE(stranger.error().code() == Code::forbidden);
    REQUIRE_THAT(stranger.error().message(), Catch::Contains("certificate"));
    TlsFixture::make("other");
    const auto distrustful = fixture.get("/ping", "other");
    REQUIRE_FALSE(distrustful);
    REQUIRE(distrustful.error().code() == Code::forbidden);
    const auto without_file = fixture.get("/ping", "nothing");
    REQUIRE_FALSE(without_file);
    REQUIRE(without_file.error().code() == Code::invalid);
    REQUIRE(fixture.get("/ping", "first").value().body == "pong");
}

TEST_CASE("TLS below 1.2 is refused", "[http][tls][MSG-06][hostile]") {
    TlsFixture fixture;
    REQUIRE_FALSE(scenarios::TlsSocket{fixture.address(), TLS1_VERSION}.is_open());
    REQUIRE_FALSE(scenarios::TlsSocket{fixture.address(), TLS1_1_VERSION}.is_open());
    REQUIRE(scenarios::TlsSocket{fixture.address(), TLS1_2_VERSION}.is_open());
    REQUIRE(scenarios::TlsSocket{fixture.address(), TLS1_3_VERSION}.is_open());
}

TEST_CASE("who speaks no TLS to a port with TLS is closed, and nobody else notices", "[http][tls][MSG-06][hostile]") {
    TlsFixture fixture{{.timeout_seconds = 1}};
    scenarios::TlsSocket good{fixture.address()};
    const RawClient plain{fixture.server.port()};
    REQUIRE(plain.send(request("/ping")));
    REQUIRE_THAT(plain.read_until("\r\n\r\n"), !Catch::Contains("HTTP/"));
    // One that says nothing, and one whose handshake drips in.
    const RawClient silent{fixture.server.port()};
    const RawClient dripping{fixture.server.port()};
    REQUIRE(dripping.send(std::string_view{"\x16\x03\x01\x07\xcb\x01", 6}));
    const auto begun = std::chrono::steady_clock::now();
    while (!dripping.readable(50ms) && std::chrono::steady_clock::now() < begun + 20s) {
        if (!dripping.send(std::string_view{"\0", 1})) break;
    }
    REQUIRE(std::chrono::steady_clock::now() < begun + 15s);
    REQUIRE(silent.readable(15s));
    REQUIRE_FALSE(fixture.client.fetch({.url = fmt::format("http://{}/ping", fixture.address())}).has_value());
    REQUIRE(fixture.get("/ping", "first").value().body == "pong");
}

TEST_CASE("a renewed certificate is for new connections, and cuts nothing off", "[http][tls][MSG-06]") {
    TlsFixture fixture{{.timeout_seconds = 1}};
    const auto threads_before = thread_count();
    scenarios::TlsSocket waiting{fixture.address()};
    waiting.send(as_bytes(request("/keep")));
    const auto exchanges = fixture.kept.take(1);
    REQUIRE(exchanges.size() == 1);
    scenarios::TlsSocket busy{fixture.address()};
    busy.send(as_bytes(request("/ping")));
    REQUIRE_THAT(busy.receive_until("pong"), Catch::StartsWith("HTTP/1.1 200") && !Catch::Contains("onnection: close"));

    fixture.server.renew_tls(TlsFixture::make("second")).value();
    REQUIRE(thread_count() == threads_before + 1);
    // At once: the old one accepts no more.
    for (int count = 0; count < 50; ++count) REQUIRE(scenarios::TlsSocket{fixture.address()}.owner() == "second");
    REQUIRE(fixture.get("/ping", "second").value().body == "pong");
    // Who keeps asking on a connection with the old certificate is answered and sent away.
    busy.send(as_bytes(request("/ping")));
    REQUIRE_THAT(busy.receive(100'000), Catch::Contains("onnection: close") && Catch::EndsWith("pong"));
    exchanges[0]->reply(text_response("late"));
    REQUIRE_THAT(waiting.receive(100'000), Catch::StartsWith("HTTP/1.1 200") && Catch::EndsWith("late"));
    // What served them ends.
    REQUIRE(threads_become(threads_before));
    REQUIRE(fixture.get("/ping", "second").value().body == "pong");
}

TEST_CASE("while certificates are renewed no request is lost", "[http][tls][MSG-06]") {
    TlsFixture fixture{{.timeout_seconds = 1}};
    const auto same = TlsFixture::make("second");
    fixture.server.renew_tls(same).value();
    std::atomic<bool> done = false;
    std::atomic<unsigned> answered = 0;
    std::atomic<unsigned> lost = 0;
    std::vector<std::thread> askers;
    for (const bool stays :
         {true, false}) {  // on one connection as long as the server keeps it, or a new one each time
        askers.emplace_back([&, stays] {
            auto client = std::make_unique<HttpClient>();
            while (!done) {
                if (!stays) client = std::make_unique<HttpClient>();
                const auto pong = client->fetch({.url = fmt::format("https://{}/ping", fixture.address()),
                                                 .ca_file = fixture.directory().file("second.pem")});
                ++(pong && pong->body == "pong" ? answered : lost);
            }
        });
    }
    bool renewed = true;
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    for (unsigned count = 0; count < 20; ++count) {
        renewed = renewed && fixture.server.renew_tls(same);
        const auto before = answered.load();
        while (answered < before + 10 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    }
    done = true;
    for (auto& asker : askers) asker.join();
    REQUIRE(renewed);
    REQUIRE(lost == 0);
    REQUIRE(answered >= 200);
}

TEST_CASE("a certificate that is none stops the start, and leaves the old one when renewed", "[http][tls][MSG-06]") {
    TlsFixture fixture;
    const auto other = TlsFixture::make("other");
    for (const auto& bad : {HttpTls{"half a file", other.key},
                            HttpTls{other.certificate_chain, fixture.make("first").key}, HttpTls{"", ""}}) {
        HttpServer server{{.tls = bad}};
        const auto started = server.start();
        REQUIRE_FALSE(started);
        REQUIRE_THAT(started.error().message(), Catch::Contains("certificate"));
        REQUIRE_FALSE(fixture.server.renew_tls(bad));
    }
    REQUIRE(scenarios::TlsSocket{fixture.address()}.owner() == "first");
}

TEST_CASE("stop answers what waits on connections with an older certificate", "[http][tls][MSG-06]") {
    TlsFixture fixture;
    const auto threads_before = thread_count();
    scenarios::TlsSocket old{fixture.address()};
    old.send(as_bytes(request("/keep")));
    const auto kept = fixture.kept.take(1);
    fixture.server.renew_tls(TlsFixture::make("second")).value();
    fixture.server.stop();
    REQUIRE_THAT(old.receive(100'000), Catch::Contains("HTTP/1.1 503"));
    REQUIRE(threads_become(threads_before - 2));  // the server's own one and the one that looks for slow clients
}
