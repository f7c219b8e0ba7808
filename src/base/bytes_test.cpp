#include "base/bytes.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace gs;

TEST_CASE("a buffer keeps what is appended while it grows", "[base]") {
    Buffer buffer;
    std::string expected;
    for (int index = 0; index < 1000; ++index) {
        const auto piece = std::to_string(index);
        buffer.append(as_bytes(piece));
        expected += piece;
    }
    CHECK(as_text(buffer) == expected);
    buffer.consume(5);
    CHECK(as_text(buffer) == expected.substr(5));
    buffer.resize_down(10);
    CHECK(as_text(buffer) == expected.substr(5, 10));
    buffer.resize_down(100);
    CHECK(buffer.size() == 10);
}

TEST_CASE("an empty buffer may be consumed appended to and released", "[base]") {
    Buffer buffer;
    buffer.consume(0);
    buffer.append({});
    CHECK(buffer.empty());
    buffer.push_back(7);
    buffer.release();
    CHECK(buffer.capacity() == 0);
    CHECK(buffer.view().empty());
}

TEST_CASE("moving a buffer leaves an empty one", "[base]") {
    Buffer from;
    from.append(as_bytes("abc"));
    Buffer to{std::move(from)};
    CHECK(as_text(to) == "abc");
    CHECK(from.empty());  // NOLINT(bugprone-use-after-move): that is the promise
}

TEST_CASE("shared bytes are one block until the last holder goes", "[base]") {
    SharedBytes first{as_bytes("hello")};
    const auto* at = first.view().data();
    SharedBytes second = first;
    first = SharedBytes{};
    CHECK(first.empty());
    CHECK(second.view().data() == at);
    CHECK(as_text(second) == "hello");
    std::vector<std::thread> holders;
    for (int index = 0; index < 4; ++index) {
        holders.emplace_back([second] {
            for (int turn = 0; turn < 1000; ++turn) const SharedBytes copy = second;
        });
    }
    for (auto& holder : holders) holder.join();
    CHECK(as_text(second) == "hello");
    CHECK(SharedBytes{BytesView{}}.empty());
}
