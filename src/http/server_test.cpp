#include "http/server.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <fstream>

#include "tests/scenarios/http_fixture.hpp"

using namespace gs;
using namespace gs::http;

namespace {

std::size_t resident_bytes() {
    std::ifstream file{"/proc/self/statm"};
    std::size_t total = 0;
    std::size_t resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("a handler sees the whole request and its answer arrives", "[http][NET-07]") {
    Fixture fixture;
    fixture.server.route("PUT", "/a b/c", fixture.loop.executor(), [](const std::shared_ptr<HttpExchange>& exchange) {
        const auto& request = exchange->request();
        auto response =
            text_response(fmt::format("{} {} {} {} {} {}", request.method, request.path, request.query.at("x"),
                                      request.query.at("y"), request.header("X-TEST"), request.body));
        response.status = 201;
        response.headers.emplace_back("X-From", request.remote_address);
        exchange->reply(std::move(response));
    });
    const auto response = fixture.client
                              .fetch({.method = "PUT",
                                      .url = fixture.url("/a%20b/c?x=1%262&y"),
                                      .headers = {{"x-test", "yes"}},
                                      .body = std::string(60'000, 'z')})
                              .value();
    REQUIRE(response.status == 201);
    REQUIRE(response.content_type == "text/plain");
    REQUIRE(response.header("x-from") == "127.0.0.1");
    REQUIRE(response.body == "PUT /a b/c 1&2  yes " + std::string(60'000, 'z'));
    REQUIRE(fixture.get("/ping").body == "pong");
    const auto head = fixture.client.fetch({.method = "HEAD", .url = fixture.url("/ping")}).value();
    REQUIRE(head.status == 200);
    REQUIRE(head.header("Content-Length") == "4");
    REQUIRE(head.body.empty());
}

TEST_CASE("one connection serves request after request", "[http][NET-07]") {
    const Fixture fixture;
    const RawClient client{fixture.server.port()};
    for (int count = 0; count < 3; ++count) {
        REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"));
        REQUIRE_THAT(client.read_until("\r\n\r\nhi"), Catch::StartsWith("HTTP/1.1 200") && Catch::EndsWith("hi"));
    }
}

TEST_CASE("unknown paths and wrong methods are answered with JSON", "[http][NET-07]") {
    Fixture fixture;
    const auto missing = fixture.get("/none");
    REQUIRE(missing.status == 404);
    REQUIRE(missing.content_type == "application/json");
    REQUIRE(missing.body == R"({"error":{"code":"not_found","message":"there is nothing at /none"}})");
    REQUIRE(fixture.get("/ping/").status == 404);
    REQUIRE(fixture.get("/%ff").status == 404);

    const auto wrong = fixture.client.fetch({.method = "POST", .url = fixture.url("/ping"), .body = "x"}).value();
    REQUIRE(wrong.status == 405);
    REQUIRE(wrong.header("allow") == "GET, HEAD");
    REQUIRE(wrong.body == R"({"error":{"code":"invalid","message":"/ping does not take POST; use GET, HEAD"}})");
}

TEST_CASE("two handlers for one path and method are refused", "[http][NET-07]") {
    Fixture fixture;
    fixture.server.route("POST", "/ping", fixture.loop.executor(), fixture.kept.handler());
    REQUIRE_THROWS_WITH(fixture.server.route("GET", "/ping", fixture.loop.executor(), fixture.kept.handler()),
                        Catch::Contains("already"));
}

TEST_CASE("a body over the limit is answered 413 and not kept in memory", "[http][NET-07]") {
    Fixture fixture;
    constexpr std::size_t large = 10'000'000;
    const std::string piece(100'000, 'x');
    const auto chunk = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);

    SECTION("at once when the client asks first") {
        const RawClient client{fixture.server.port()};
        REQUIRE(
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10000000\r\n\r\n"));
        const auto answer = client.read_until("}}");
        REQUIRE_THAT(answer, Catch::StartsWith("HTTP/1.1 413"));
        REQUIRE_THAT(
            answer,
            Catch::EndsWith(R"({"error":{"code":"invalid","message":"the request body is larger than 65536 bytes"}})"));
    }
    SECTION("at once when nobody would wait for the end") {
        const RawClient client{fixture.server.port()};
        REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n"));
        REQUIRE_THAT(client.read_until("}}"), Catch::StartsWith("HTTP/1.1 413"));
    }
    SECTION("with a length or in chunks") {
        const auto before = resident_bytes();
        std::deque<RawClient> clients;
        for (int index = 0; index < 6; ++index) {
            const bool chunked = index % 2 == 0;
            const auto& client = clients.emplace_back(fixture.server.port());
            REQUIRE(client.send(
                chunked ? std::string{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"}
                        : fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", large + 1)));
            for (std::size_t sent = 0; sent < large; sent += piece.size()) {
                REQUIRE(client.send(chunked ? chunk : piece));
            }
        }
        REQUIRE(resident_bytes() < before + 20'000'000);  // 60 MB were sent and none has ended
        for (std::size_t index = 0; index < clients.size(); ++index) {
            REQUIRE(clients[index].send(index % 2 == 0 ? "0\r\n\r\n" : "x"));
            REQUIRE_THAT(clients[index].read_until("}}"), Catch::StartsWith("HTTP/1.1 413") && Catch::EndsWith("}}"));
        }
    }
    SECTION("an endless one is cut off") {
        const RawClient client{fixture.server.port()};
        REQUIRE(client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
        std::size_t sent = 0;
        while (sent < 200'000'000 && client.send(chunk)) sent += piece.size();
        REQUIRE(sent < 100'000'000);
    }
    REQUIRE(fixture.client.fetch({.method = "POST", .url = fixture.url("/echo"), .body = std::string(large, 'x')})
                .value()
                .status == 413);
    const auto full =
        fixture.client.fetch({.method = "POST", .url = fixture.url("/echo"), .body = std::string(65536, 'x')}).value();
    REQUIRE(full.status == 200);
    REQUIRE(full.body.size() == 65536);
    REQUIRE(fixture.client.fetch({.method = "POST", .url = fixture.url("/echo"), .body = std::string(65537, 'x')})
                .value()
                .status == 413);
}

TEST_CASE("a request that drips in is cut off and a slow handler is not", "[http][NET-07]") {
    Fixture fixture{{.timeout_seconds = 1}};
    const RawClient patient{fixture.server.port()};
    REQUIRE(patient.send("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n"));
    const auto exchanges = fixture.kept.take(1);
    REQUIRE(exchanges.size() == 1);

    for (const auto* start :
         {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", "GET /ping HTTP/1.1\r\nX-Long: "}) {
        const RawClient dripping{fixture.server.port()};
        const auto begun = std::chrono::steady_clock::now();
        REQUIRE(dripping.send(start));
        while (!dripping.readable(50ms) && std::chrono::steady_clock::now() < begun + 20s) {
            if (!dripping.send("x")) break;
        }
        REQUIRE(std::chrono::steady_clock::now() > begun + 900ms);
        REQUIRE(std::chrono::steady_clock::now() < begun + 15s);
    }
    exchanges[0]->reply(text_response("late"));
    REQUIRE_THAT(patient.read_until("late"), Catch::StartsWith("HTTP/1.1 200"));
}

TEST_CASE("two hundred requests at once are answered from another thread", "[http][NET-07]") {
    Fixture fixture;
    constexpr std::size_t count = 200;
    std::deque<RawClient> clients;
    for (std::size_t index = 0; index < count; ++index) {
        const auto& client = clients.emplace_back(fixture.server.port());
        REQUIRE(client.send(fmt::format("GET /keep?n={} HTTP/1.1\r\nHost: a\r\n\r\n", index)));
    }
    auto exchanges = fixture.kept.take(count);
    REQUIRE(exchanges.size() == count);
    std::thread answering{[&exchanges] {
        for (const auto& exchange : exchanges)
            exchange->reply(text_response(fmt::format("<{}>", exchange->request().query.at("n"))));
    }};
    for (std::size_t index = 0; index < count; ++index) {
        REQUIRE_THAT(clients[index].read_until(">"), Catch::EndsWith(fmt::format("\r\n\r\n<{}>", index)));
    }
    answering.join();
}

TEST_CASE("the first answer of an exchange counts", "[http][NET-07]") {
    Fixture fixture;
    fixture.server.route("GET", "/twice", fixture.loop.executor(), [](const std::shared_ptr<HttpExchange>& exchange) {
        exchange->reply(text_response("one"));
        exchange->reply(text_response("two"));
        throw Error{Code::conflict, "three"};
    });
    REQUIRE(fixture.get("/twice").body == "one");
}

TEST_CASE("a handler that fails or forgets is answered for", "[http][NET-07]") {
    Fixture fixture;
    log::set_level(log::Level::off);
    const auto nothing = [](const std::shared_ptr<HttpExchange>&) {};
    fixture.server.route("GET", "/drop", fixture.loop.executor(), nothing);
    fixture.server.route(
        "GET", "/lost", [](const std::function<void()>&) {}, nothing);
    fixture.server.route(
        "GET", "/full", [](const std::function<void()>&) { throw std::runtime_error{"queue full"}; }, nothing);
    fixture.server.route("GET", "/error", fixture.loop.executor(), [](const std::shared_ptr<HttpExchange>&) {
        throw Error{Code::limited, "slow down"};
    });
    fixture.server.route("GET", "/fault", fixture.loop.executor(),
                         [](const std::shared_ptr<HttpExchange>&) { throw std::runtime_error{"secret detail"}; });
    fixture.server.route(
        "GET", "/inline", [](const std::function<void()>& function) { function(); },
        [](const std::shared_ptr<HttpExchange>& exchange) { exchange->reply(text_response("inline")); });

    for (const auto* path : {"/drop", "/lost", "/full"}) {
        const auto response = fixture.get(path);
        REQUIRE(response.status == 500);
        REQUIRE(response.body ==
                R"({"error":{"code":"internal","message":"the server had no answer to this request"}})");
    }
    REQUIRE(fixture.get("/error").status == 429);
    REQUIRE(fixture.get("/error").body == R"({"error":{"code":"limited","message":"slow down"}})");
    const auto fault = fixture.get("/fault");
    REQUIRE(fault.status == 500);
    REQUIRE_THAT(fault.body, !Catch::Contains("secret"));
    log::set_level(log::Level::info);
    REQUIRE(fixture.get("/inline").body == "inline");
}

TEST_CASE("stop answers pending exchanges and later replies do nothing", "[http][NET-07]") {
    std::optional<Fixture> fixture{std::in_place};
    std::deque<RawClient> clients;
    for (int index = 0; index < 20; ++index) {
        REQUIRE(clients.emplace_back(fixture->server.port()).send("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
    const RawClient unfinished{fixture->server.port()};
    REQUIRE(unfinished.send("GET /keep HT"));
    const auto exchanges = fixture->kept.take(20);
    REQUIRE(exchanges.size() == 20);
    const auto port = fixture->server.port();
    fixture->server.stop();
    for (const auto& client : clients) {
        REQUIRE_THAT(client.read_until("}}"), Catch::StartsWith("HTTP/1.1 503") && Catch::Contains("\"unavailable\"") &&
                                                  Catch::Contains("the server is stopping"));
    }
    REQUIRE(unfinished.read_until("}}").empty());
    REQUIRE(HttpClient{}.fetch({.url = fmt::format("http://127.0.0.1:{}/ping", port)}).error().code() ==
            Code::unavailable);
    fixture->server.stop();
    fixture.reset();
    exchanges[0]->reply(text_response("too late"));
}

TEST_CASE("stop while replies run on other threads loses nothing", "[http][NET-07]") {
    for (int round = 0; round < 20; ++round) {
        Fixture fixture;
        std::deque<RawClient> clients;
        for (int index = 0; index < 10; ++index) {
            REQUIRE(clients.emplace_back(fixture.server.port()).send("GET /keep HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
        auto exchanges = fixture.kept.take(10);
        std::thread answering{[&exchanges] {
            for (const auto& exchange : exchanges) exchange->reply(text_response("}}"));
        }};
        fixture.server.stop();
        answering.join();
        for (const auto& client : clients) REQUIRE_THAT(client.read_until("}}"), Catch::EndsWith("}}"));
    }
}

TEST_CASE("too many connections of one address are closed", "[http][NET-07]") {
    const Fixture fixture{{.connections_per_address_max = 3}};
    std::deque<RawClient> clients;
    for (int index = 0; index < 3; ++index) {
        REQUIRE(clients.emplace_back(fixture.server.port()).send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"));
        REQUIRE_THAT(clients.back().read_until("pong"), Catch::EndsWith("pong"));
    }
    const RawClient refused{fixture.server.port()};
    static_cast<void>(refused.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"));
    REQUIRE(refused.read_until("pong").empty());
}

TEST_CASE("headers over the limit are refused", "[http][NET-07]") {
    Fixture fixture;
    const auto response =
        fixture.client.fetch({.url = fixture.url("/ping"), .headers = {{"X", std::string(20'000, 'x')}}});
    REQUIRE((!response || response->status == 431));
    REQUIRE(fixture.get("/ping").status == 200);
}

TEST_CASE("a server that cannot listen says where and what to do", "[http][NET-07]") {
    const Fixture fixture;
    const auto failure = [](HttpServerOptions options) {
        HttpServer server{std::move(options)};
        return server.start().error();
    };
    const auto taken = failure({.address = "127.0.0.1", .port = fixture.server.port()});
    REQUIRE(taken.code() == Code::conflict);
    REQUIRE(taken.message() ==
            fmt::format("http: port {} of 127.0.0.1 is in use by another process; stop that one or set another port",
                        fixture.server.port()));
    const auto foreign = failure({.address = "192.0.2.1", .port = 8080});
    REQUIRE(foreign.code() == Code::invalid);
    REQUIRE_THAT(foreign.message(), Catch::Contains("192.0.2.1 port 8080") && Catch::Contains("0.0.0.0"));
    for (const auto* address : {"", "localhost:80", "1.2.3.4.5", "example.com"}) {
        const auto bad = failure({.address = address, .port = 8080});
        REQUIRE(bad.code() == Code::invalid);
        REQUIRE_THAT(bad.message(),
                     Catch::Contains(fmt::format("\"{}\" port 8080: this is not an IP address", address)));
    }
}

TEST_CASE("the client tells what went wrong", "[http][NET-07]") {
    Fixture fixture;
    const auto bad = fixture.client.fetch({.url = "file:///etc/hostname"});
    REQUIRE(bad.error().code() == Code::invalid);
    const auto slow = fixture.client.fetch({.url = fixture.url("/keep"), .timeout = 100ms});
    REQUIRE(slow.error().code() == Code::deadline);
    REQUIRE_THAT(slow.error().message(), Catch::StartsWith("GET http://127.0.0.1:"));
    const auto large =
        fixture.client.fetch({.method = "POST", .url = fixture.url("/echo"), .body = "12345", .response_bytes_max = 4});
    REQUIRE(large.error().code() == Code::invalid);
    REQUIRE_THAT(large.error().message(), Catch::Contains("larger than 4 bytes"));
    REQUIRE(fixture.get("/ping").body == "pong");
}
