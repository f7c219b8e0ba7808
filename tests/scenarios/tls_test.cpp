// TLS on the port of clients, as browsers need it for wss: over real sockets, against OpenSSL's own client.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

#include "api/tls_files.hpp"
#include "storage/scratch_directory.hpp"
#include "tests/scenarios/real_node.hpp"
#include "tests/scenarios/self_signed.hpp"
#include "tests/scenarios/tls_socket.hpp"
#include "wire/websocket.hpp"

using namespace gs;
using namespace gs::scenarios;
namespace websocket = wire::websocket;

namespace {

std::string hello() {
    Buffer out;
    wire::write_hello(out, wire::ClientHello{});
    return std::string{as_text(out)};
}

/// The server's hello, whose first bytes are its length and the magic.
bool is_hello(std::string_view text) { return text.size() == 8 && text.substr(4) == wire::hello_magic; }

struct TlsNode {
    explicit TlsNode(const std::string& owner = "first") {
        write_self_signed(directory.file("gate"), owner);
        node.emplace(std::map<std::string, SettingScalar>{{"gateway.tls.certificate_file", directory.file("gate.pem")},
                                                          {"gateway.tls.key_file", directory.file("gate.key")}});
    }
    storage::ScratchDirectory directory;
    std::optional<RealNode> node;
};

}  // namespace

TEST_CASE("the game's protocol and WebSocket are spoken inside of TLS", "[scenario][tcp][tls][NET-06]") {
    TlsNode server;
    TlsSocket native{server.node->gateway()};
    REQUIRE(native.is_open());
    CHECK(native.owner() == "first");
    native.send(as_bytes(hello()));
    CHECK(is_hello(native.receive(8)));

    TlsSocket browser{server.node->gateway()};
    Buffer request;
    websocket::write_upgrade(request, "localhost", "dGhlIHNhbXBsZSBub25jZQ==");
    browser.send(request);
    Buffer answer;
    websocket::write_upgrade_answer(answer, "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK(browser.receive(answer.size()) == as_text(answer));
    Buffer frame;
    websocket::write_frame(frame, websocket::Opcode::binary, as_bytes(hello()), websocket::Mask{1, 2, 3, 4});
    browser.send(frame);
    const auto back = browser.receive(10);
    CHECK((is_hello(back.substr(2))));
    CHECK(static_cast<unsigned char>(back.at(0)) == 0x82);
}

TEST_CASE("a renewed certificate is used without a restart", "[scenario][tcp][tls][NET-06]") {
    TlsNode server;
    const auto owner_now = [&] { return TlsSocket{server.node->gateway()}.owner(); };
    TlsSocket before{server.node->gateway()};
    REQUIRE(owner_now() == "first");
    write_self_signed(server.directory.file("gate"), "second");
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (owner_now() != "second" && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    CHECK(owner_now() == "second");
    before.send(as_bytes(hello()));
    CHECK(is_hello(before.receive(8)));
}

TEST_CASE("what is not TLS behind its first bytes ends that connection", "[scenario][tcp][tls][hostile]") {
    TlsNode server;
    TlsSocket good{server.node->gateway()};
    std::string garbage(2000, 'x');
    garbage.replace(0, 5, std::string{"\x16\x03\x01\x07\xcb", 5});
    const int raw = ::socket(AF_INET, SOCK_STREAM, 0);
    const timeval limit{20, 0};
    ::setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in end{};
    end.sin_family = AF_INET;
    end.sin_port = htons(transport::parse_host_port(server.node->gateway()).value().port);
    end.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(raw, reinterpret_cast<const sockaddr*>(&end), sizeof end) == 0);
    REQUIRE(::send(raw, garbage.data(), garbage.size(), MSG_NOSIGNAL) > 0);
    char part[512];
    ssize_t count = 0;
    while ((count = ::recv(raw, part, sizeof part, 0)) > 0) {
    }
    CHECK(count == 0);
    ::close(raw);
    CHECK(server.node->metric(R"(gameserver_client_rejected_total{reason="foreign_protocol"})") == 1);
    good.send(as_bytes(hello()));
    CHECK(is_hello(good.receive(8)));
}

TEST_CASE("a certificate that cannot be used is named", "[tls][NET-06]") {
    const storage::ScratchDirectory directory;
    write_self_signed(directory.file("one"), "one");
    write_self_signed(directory.file("other"), "other");
    const auto why = [&](const std::string& chain, const std::string& key) {
        const auto loaded = transport::load_tls_certificate(directory.file(chain), directory.file(key));
        return loaded ? std::string{} : loaded.error().message();
    };
    CHECK(why("one.pem", "one.key").empty());
    CHECK_THAT(why("nothing.pem", "one.key"), Catch::Contains("nothing.pem") && Catch::Contains("No such file"));
    CHECK_THAT(why("one.pem", "one.pem"), Catch::Contains("one.pem cannot be used"));
    CHECK_THAT(why("one.pem", "other.key"), Catch::Contains("other.key is not the key"));
}

TEST_CASE("a renewed certificate that cannot be used leaves the old one", "[tls][NET-06]") {
    const storage::ScratchDirectory directory;
    write_self_signed(directory.file("gate"), "good");
    Metrics metrics;
    TlsFiles files{metrics, Role::gateway};
    REQUIRE(files.load(directory.file("gate.pem"), directory.file("gate.key")));
    const auto* before = files.current();
    auto renew = [&, count = 0](const std::string& owner, long good_for_seconds = 3600) mutable {
        if (owner.empty()) {
            std::ofstream{directory.file("gate.pem")} << "half a file";
        } else {
            write_self_signed(directory.file("gate"), owner, good_for_seconds);
        }
        const auto stamp = std::filesystem::last_write_time(directory.file("gate.pem"));
        std::filesystem::last_write_time(directory.file("gate.pem"), stamp + ++count * 1s);
        return files.reload_changed();
    };
    CHECK_FALSE(renew(""));
    CHECK(files.current() == before);
    CHECK_FALSE(renew("late", -1));
    CHECK(files.current() == before);
    CHECK(renew("better"));
    CHECK_FALSE(files.reload_changed());
    CHECK(files.current() != before);
    CHECK(files.current() != nullptr);
}
