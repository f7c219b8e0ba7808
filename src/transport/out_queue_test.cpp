#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "transport/out_queue.hpp"

using namespace gs;
using namespace gs::transport;

namespace {

SharedBytes shared(std::string_view text) { return SharedBytes{as_bytes(text)}; }

/// What the network takes when it takes at most `most` bytes.
std::string take(OutQueue& queue, std::size_t most, std::size_t views_max = 64) {
    BytesView views[64];
    std::string taken;
    const auto count = queue.gather(views, views_max);
    for (std::size_t index = 0; index < count; ++index) taken += as_text(views[index]);
    taken.resize(std::min(taken.size(), most));
    queue.sent(taken.size());
    return taken;
}

std::string fill(OutQueue& queue) {
    queue.tail().append(as_bytes("own one, "));
    queue.tail().append(as_bytes("own two, "));
    queue.push(shared("shared one, "));
    queue.push(shared("shared two, "));
    static_cast<void>(queue.tail());  // asked for and not used
    queue.push(shared("shared three, "));
    queue.push(SharedBytes{});
    queue.tail().append(as_bytes("own three"));
    return "own one, own two, shared one, shared two, shared three, own three";
}

}  // namespace

TEST_CASE("own and shared bytes leave in order when the network takes a part at every place", "[transport][NET-11]") {
    OutQueue measured;
    const auto all = fill(measured);
    REQUIRE(measured.bytes() == all.size());
    for (std::size_t first = 0; first <= all.size(); ++first) {
        CAPTURE(first);
        OutQueue queue;
        fill(queue);
        auto sent = take(queue, first);
        CHECK(queue.bytes() == all.size() - first);
        CHECK(queue.empty() == (first == all.size()));
        queue.tail().append(as_bytes(" and more"));
        sent += take(queue, all.size() + 100);
        CHECK(sent == all + " and more");
        CHECK(queue.empty());
    }
    for (std::size_t piece = 1; piece < all.size(); ++piece) {
        CAPTURE(piece);
        OutQueue queue;
        fill(queue);
        std::string sent;
        while (!queue.empty()) sent += take(queue, piece, 2);
        CHECK(sent == all);
    }
}

TEST_CASE("an empty queue has nothing to send", "[transport]") {
    OutQueue queue;
    BytesView views[4];
    CHECK(queue.empty());
    CHECK(queue.gather(views, 4) == 0);
    static_cast<void>(queue.tail());
    CHECK(queue.empty());
    CHECK(queue.gather(views, 4) == 0);
    fill(queue);
    take(queue, 12);
    queue.clear();
    CHECK(queue.empty());
    queue.tail().append(as_bytes("again"));
    CHECK(take(queue, 100) == "again");
}

TEST_CASE("a shared block is let go when it is sent", "[transport][NET-11]") {
    OutQueue first;
    OutQueue second;
    const auto block = shared("to all");
    first.push(block);
    second.push(block);
    BytesView seen[1];
    REQUIRE(first.gather(seen, 1) == 1);
    CHECK(seen[0].data() == block.view().data());
    CHECK(take(first, 3) == "to ");
    CHECK(take(second, 100) == "to all");
    CHECK(take(first, 100) == "all");
}

TEST_CASE("buffers go back to the pool of the thread", "[transport][MSG-13]") {
    auto buffer = take_buffer();
    buffer.append(as_bytes("used"));
    const auto* memory = buffer.data();
    give_back(std::move(buffer));
    auto again = take_buffer();
    CHECK(again.data() == memory);
    CHECK(again.empty());

    Buffer large;
    large.reserve(1U << 20U);
    const auto* large_memory = large.data();
    give_back(std::move(large));
    CHECK(take_buffer().data() != large_memory);
}

TEST_CASE("a queue that never runs empty keeps no more than what waits", "[transport][NET-11]") {
    OutQueue queue;
    std::mt19937_64 random{3};
    std::string expected;
    std::string sent;
    const auto check_memory = [&] {
        const auto capacity = queue.tail().capacity();
        CHECK(capacity <= 1024 * 1024);
    };
    SECTION("own bytes only") {
        const std::string line(10'000, 'o');
        queue.tail().append(as_bytes(line));
        for (int round = 0; round < 2'000; ++round) {
            queue.tail().append(as_bytes(line));
            take(queue, line.size());
            REQUIRE(queue.bytes() == line.size());
        }
        check_memory();
    }
    SECTION("own and shared bytes") {
        for (int round = 0; round < 5'000; ++round) {
            const auto text = fmt::format("{},", round);
            if (random() % 2 == 0) {
                queue.tail().append(as_bytes(text));
            } else {
                queue.push(shared(text));
            }
            expected += text;
            if (queue.bytes() > 40) sent += take(queue, queue.bytes() - 40, 3);
        }
        sent += take(queue, 1000);
        CHECK(sent == expected);
    }
}
