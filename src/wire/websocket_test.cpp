#include <random>

#include <catch2/catch.hpp>

#include "wire/websocket.hpp"

using namespace gs;
using namespace gs::wire::websocket;

namespace {

constexpr Mask mask{0x37, 0xfa, 0x21, 0x3d};

Binary bytes(std::initializer_list<int> list) {
    Binary result;
    for (const int byte : list) result.push_back(static_cast<std::uint8_t>(byte));
    return result;
}

Binary frame(Opcode opcode, std::string_view payload, const std::optional<Mask>& key = mask) {
    Buffer out;
    write_frame(out, opcode, as_bytes(payload), key);
    return {out.view().begin(), out.view().end()};
}

struct Outcome {
    std::string stream, ping;
    std::optional<Close> close;
};

/// What a server makes of it, in pieces of that size.
Outcome receive(BytesView input, std::size_t piece, bool expects_masks = true) {
    Reader reader{expects_masks};
    Outcome outcome;
    Buffer stream;
    while (!input.empty() && !outcome.close) {
        const auto size = std::min(piece, input.size());
        auto found = reader.read(input.first(size), stream);
        if (found.ping) outcome.ping = as_text(*found.ping);
        outcome.close = std::move(found.close);
        input = input.subspan(size);
    }
    outcome.stream = as_text(stream);
    return outcome;
}

Binary joined(std::initializer_list<Binary> parts) {
    Binary all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

std::string request(std::string_view change = {}, std::string_view to = {}) {
    std::string text =
        "GET /any?x HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: chat, gameserver.v1\r\n\r\n";
    if (!change.empty()) text.replace(text.find(change), change.size(), to);
    return text;
}

}  // namespace

TEST_CASE("the masked hello of RFC 6455 is read", "[websocket][NET-06]") {
    // Section 5.7, with the opcode of a binary message.
    const auto outcome = receive(bytes({0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}), 100);
    CHECK(outcome.stream == "Hello");
    CHECK_FALSE(outcome.close);
    CHECK(frame(Opcode::binary, "Hello") == bytes({0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));
}

TEST_CASE("payloads of every size come whole, however they are cut", "[websocket][NET-06][NET-02]") {
    std::mt19937 random{1};
    std::string all;
    Binary input;
    for (const std::size_t size : {0, 1, 7, 125, 126, 127, 1000, 65'535, 65'536, 70'001}) {
        std::string payload(size, '\0');
        for (auto& letter : payload) letter = static_cast<char>(random());
        const auto one = frame(Opcode::binary, payload);
        input.insert(input.end(), one.begin(), one.end());
        all += payload;
    }
    const auto piece = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{4096}, std::size_t{1U << 20U});
    const auto outcome = receive(input, piece);
    CHECK_FALSE(outcome.close);
    CHECK((outcome.stream == all));
}

TEST_CASE("fragments make one message, and control frames may stand between", "[websocket][NET-06]") {
    auto first = frame(Opcode::binary, "one ");
    first[0] = 0x02;
    auto second = frame(Opcode::continuation, "two ");
    second[0] = 0x00;
    const auto input = joined({first, frame(Opcode::ping, "there?"), second, frame(Opcode::pong, ""),
                               frame(Opcode::continuation, "three"), frame(Opcode::binary, "!")});
    for (const std::size_t piece : {1, 2, 1000}) {
        const auto outcome = receive(input, piece);
        CHECK(outcome.stream == "one two three!");
        CHECK(outcome.ping == "there?");
        CHECK_FALSE(outcome.close);
    }
}

TEST_CASE("of many pings the latest is answered", "[websocket][NET-06]") {
    CHECK(receive(joined({frame(Opcode::ping, "1"), frame(Opcode::ping, "2")}), 1000).ping == "2");
}

TEST_CASE("a goodbye is told with its code, and nothing behind it is read", "[websocket][NET-06]") {
    Buffer out;
    write_close(out, 1001, "the tab was closed", mask);
    const Binary goodbye{out.view().begin(), out.view().end()};
    const auto outcome = receive(joined({frame(Opcode::binary, "last"), goodbye, frame(Opcode::binary, "more")}), 1000);
    CHECK(outcome.stream == "last");
    REQUIRE(outcome.close);
    CHECK(outcome.close->code == 1001);
    CHECK(outcome.close->reason == "the tab was closed");
    CHECK_FALSE(outcome.close->is_fault);
    CHECK(receive(frame(Opcode::close, ""), 1000).close->code == status::none);
}

TEST_CASE("what breaks the rules of WebSocket is refused with its code", "[websocket][NET-06][NET-14]") {
    const auto check = [](const Binary& input, std::uint16_t code, std::string_view reason, bool expects_masks = true) {
        for (const std::size_t piece : {1, 1000}) {
            const auto outcome = receive(input, piece, expects_masks);
            CAPTURE(reason, piece);
            REQUIRE(outcome.close);
            CHECK(outcome.close->is_fault);
            CHECK(outcome.close->code == code);
            CHECK_THAT(outcome.close->reason, Catch::Contains(std::string{reason}));
        }
    };
    check(frame(Opcode::binary, "x", std::nullopt), 1002, "mask");
    check(frame(Opcode::binary, "x"), 1002, "must not", false);
    check(frame(Opcode::text, "{}"), 1003, "binary");
    check(frame(static_cast<Opcode>(3), ""), 1002, "opcode");
    check(frame(static_cast<Opcode>(11), ""), 1002, "opcode");
    auto compressed = frame(Opcode::binary, "x");
    compressed[0] |= 0x40;
    check(compressed, 1002, "extension");
    check(frame(Opcode::continuation, "x"), 1002, "order");
    auto begun = frame(Opcode::binary, "x");
    begun[0] = 0x02;
    check(joined({begun, frame(Opcode::binary, "y")}), 1002, "order");
    check(frame(Opcode::ping, std::string(126, 'x')), 1002, "125");
    auto cut_ping = frame(Opcode::ping, "x");
    cut_ping[0] = 0x09;
    check(cut_ping, 1002, "125");
    check(bytes({0x82, 0xfe, 0x00, 0x05, 1, 2, 3, 4}), 1002, "shortest");
    check(bytes({0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}), 1002, "shortest");
    check(bytes({0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 2, 3, 4}), 1009, "1 MiB");
    check(bytes({0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}), 1009, "1 MiB");
    check(frame(Opcode::close, "x"), 1002, "half");
    check(frame(Opcode::close, std::string{"\x03\xed", 2}), 1002, "code");  // 1005 is never sent
    check(frame(Opcode::close, std::string{"\x03\xe8\xff", 3}), 1007, "UTF-8");
}

TEST_CASE("who sends frames that carry nothing for ever is refused", "[websocket][NET-14]") {
    const auto empty = GENERATE(frame(Opcode::ping, ""), frame(Opcode::pong, "x"), frame(Opcode::binary, ""));
    Reader reader{true};
    Buffer stream;
    for (int count = 0; count < 1000; ++count) REQUIRE_FALSE(reader.read(empty, stream).close);
    CHECK_FALSE(reader.read(frame(Opcode::binary, "x"), stream).close);
    for (int count = 0; count < 1000; ++count) REQUIRE_FALSE(reader.read(empty, stream).close);
    const auto close = reader.read(empty, stream).close;
    REQUIRE(close);
    CHECK(close->code == 1008);
}

TEST_CASE("the request of RFC 6455 gets the answer that it wants", "[websocket][NET-06]") {
    const auto text = request();
    for (std::size_t size = 0; size < text.size(); ++size)
        CHECK(read_upgrade(as_bytes(text.substr(0, size))).consumed == 0);
    const auto upgrade = read_upgrade(as_bytes(text + "more"));
    CHECK(upgrade.refusal == 0);
    CHECK(upgrade.consumed == text.size());
    Buffer answer;
    write_upgrade_answer(answer, upgrade.key);
    CHECK_THAT(std::string{as_text(answer)}, Catch::StartsWith("HTTP/1.1 101 ") &&
                                                 Catch::Contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") &&
                                                 Catch::Contains("Protocol: gameserver.v1\r\n"));
    CHECK(read_upgrade_answer(as_bytes(std::string{as_text(answer)} + "more"), upgrade.key).value() == answer.size());
    CHECK(read_upgrade_answer(answer.view().first(answer.size() - 1), upgrade.key).value() == 0);
    CHECK_FALSE(read_upgrade_answer(answer, make_key()));
}

TEST_CASE("a request that cannot be granted is answered in HTTP", "[websocket][NET-06]") {
    const auto refusal = [](const std::string& text) {
        const auto upgrade = read_upgrade(as_bytes(text));
        CHECK(upgrade.consumed > 0);
        return std::pair{upgrade.refusal, upgrade.reason};
    };
    CHECK(refusal("GET / HTTP/1.1\r\nHost: x\r\n\r\n").first == 426);
    CHECK(refusal("GET / HTTP/1.0\r\n\r\n").first == 400);
    CHECK(refusal(request("Version: 13", "Version: 8")).first == 426);
    CHECK(refusal(request("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=")).first == 400);
    CHECK(refusal(request("Host: example.org\r\n", "")).first == 400);
    CHECK(refusal(request("Connection: keep-alive, Upgrade", "Connection: close")).first == 426);
    CHECK_THAT(refusal(request(", gameserver.v1", "")).second, Catch::Contains("gameserver.v1"));
    CHECK(refusal(request("Host:", "X: " + std::string(head_bytes_max, 'x'))).first == 431);
    Buffer out;
    write_refusal(out, 426, "why");
    CHECK_THAT(std::string{as_text(out)}, Catch::StartsWith("HTTP/1.1 426 Upgrade Required\r\n") &&
                                              Catch::Contains("Content-Length: 4\r\n") &&
                                              Catch::EndsWith("\r\n\r\nwhy\n"));
}
