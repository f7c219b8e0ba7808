#include <string>

#include <catch2/catch.hpp>

#include "base/crypto/crypto.hpp"
#include "wire/frame.hpp"
#include "wire/noise/record.hpp"

using namespace gs;
using namespace gs::wire::noise;

namespace {

Secret some_key() {
    Secret key;
    key.bytes().fill(7);
    return key;
}

struct Pair {
    RecordWriter writer{CipherState{some_key()}};
    RecordReader reader{CipherState{some_key()}};

    Buffer write(BytesView plain) {
        Buffer out;
        REQUIRE(writer.write(plain, out));
        return out;
    }
};

/// Reads all of a stream that comes in pieces.
struct Stream {
    Buffer held, plain;
    RecordReader::Status last = RecordReader::Status::incomplete;

    void receive(RecordReader& reader, BytesView piece) {
        held.append(piece);
        for (;;) {
            const auto read = reader.read(held, plain);
            last = read.status;
            if (read.consumed == 0) return;
            held.consume(read.consumed);
            if (last == RecordReader::Status::end) return;
        }
    }
};

}  // namespace

TEST_CASE("a stream goes through records whatever their segmentation", "[wire][noise][MSG-06]") {
    for (std::size_t piece = 1; piece < 60; ++piece) {
        CAPTURE(piece);
        Pair pair;
        auto bytes = pair.write(as_bytes("one frame, "));
        bytes.append(pair.write(as_bytes("and another")));
        REQUIRE(pair.writer.write_end(bytes));
        Stream stream;
        for (BytesView rest = bytes; !rest.empty();) {
            const auto part = rest.first(std::min(piece, rest.size()));
            stream.receive(pair.reader, part);
            rest = rest.subspan(part.size());
        }
        CHECK(as_text(stream.plain) == "one frame, and another");
        CHECK(stream.last == RecordReader::Status::end);
        CHECK(pair.reader.ended());
    }
}

TEST_CASE("a long stream is cut into records of the longest size", "[wire][noise][MSG-06]") {
    Pair pair;
    const std::string text(2 * record_plain_bytes_max + 5, 'x');
    const auto bytes = pair.write(as_bytes(text));
    CHECK(bytes.size() == text.size() + 3 * record_overhead_bytes);
    CHECK(wire::cut_frame(bytes, bytes.size()).length == message_bytes_max);
    Stream stream;
    stream.receive(pair.reader, bytes);
    CHECK(as_text(stream.plain) == text);

    Buffer small;
    REQUIRE(pair.writer.write(as_bytes("123456789"), small, 4));
    CHECK(small.size() == 9 + 3 * record_overhead_bytes);
}

TEST_CASE("a bit that was flipped anywhere in a record breaks it", "[wire][noise][MSG-06]") {
    const auto size = Pair{}.write(as_bytes("secret")).size();
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
        CAPTURE(bit);
        Pair pair;
        auto bytes = pair.write(as_bytes("secret"));
        bytes.data()[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        bytes.append(pair.write(as_bytes(std::string(70'000, 'x'))));  // so that a longer length is there, too
        Stream stream;
        stream.receive(pair.reader, bytes);
        CHECK(stream.last == RecordReader::Status::broken);
        CHECK(stream.plain.empty());
        // It stays so, whatever comes.
        stream.held.clear();
        stream.receive(pair.reader, Pair{}.write(as_bytes("secret")));
        CHECK(stream.last == RecordReader::Status::broken);
    }
}

TEST_CASE("records that come twice, in another order or not at all are found out", "[wire][noise][MSG-06]") {
    Pair pair;
    const auto first = pair.write(as_bytes("first"));
    const auto second = pair.write(as_bytes("second"));
    Stream stream;
    SECTION("twice") {
        stream.receive(pair.reader, first);
        stream.receive(pair.reader, first);
        CHECK(as_text(stream.plain) == "first");
    }
    SECTION("in another order") {
        stream.receive(pair.reader, second);
        CHECK(stream.plain.empty());
    }
    SECTION("not at all") {
        stream.receive(pair.reader, first);
        stream.receive(pair.reader, pair.write(as_bytes("third")));
        CHECK(as_text(stream.plain) == "first");
    }
    SECTION("of the own direction, sent back") {
        Secret other;
        other.bytes().fill(8);
        RecordReader reader{CipherState{other}};
        stream.receive(reader, first);
        CHECK(stream.plain.empty());
    }
    CHECK(stream.last == RecordReader::Status::broken);
}

TEST_CASE("a stream that was cut has no end", "[wire][noise][MSG-06]") {
    Pair pair;
    Buffer bytes = pair.write(as_bytes("all of it"));
    const auto whole = bytes.size();
    REQUIRE(pair.writer.write_end(bytes));
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CAPTURE(length);
        RecordReader reader{CipherState{some_key()}};
        Stream stream;
        stream.receive(reader, bytes.view().first(length));
        CHECK(stream.last == RecordReader::Status::incomplete);
        CHECK_FALSE(reader.ended());
        CHECK(as_text(stream.plain) == (length < whole ? "" : "all of it"));
    }
    Stream stream;
    stream.receive(pair.reader, bytes);
    CHECK(pair.reader.ended());
    Buffer more;
    CHECK_FALSE(pair.writer.write(as_bytes("more"), more));
    CHECK(more.empty());
    stream.receive(pair.reader, as_bytes("more"));
    CHECK(stream.last == RecordReader::Status::broken);
}

TEST_CASE("a record that is too long is refused before it is there", "[wire][noise][MSG-06]") {
    Pair pair;
    const auto bytes = pair.write(as_bytes(std::string(1001, 'x')));
    Buffer plain;
    CHECK(pair.reader.read(bytes.view().first(4), plain, 1000).status == RecordReader::Status::broken);

    RecordReader reader{CipherState{some_key()}};
    CHECK(reader.read(bytes.view().first(4), plain, 1001).status == RecordReader::Status::incomplete);
    CHECK(reader.read(bytes, plain, 1001).status == RecordReader::Status::record);

    Buffer longest;
    static_cast<void>(longest.extend(4));
    wire::write_length(longest.data(), message_bytes_max + 1);
    RecordReader any{CipherState{some_key()}};
    CHECK(any.read(longest, plain, 1U << 30U).status == RecordReader::Status::broken);
}

TEST_CASE("the key of a direction is changed after 65,536 records", "[wire][noise][MSG-06]") {
    Pair pair;
    Buffer bytes;
    Buffer plain;
    const auto exchange = [&](std::uint64_t records) {
        for (std::uint64_t record = 0; record < records; ++record) {
            bytes.clear();
            plain.clear();
            REQUIRE(pair.writer.write(as_bytes("x"), bytes));
            REQUIRE(pair.reader.read(bytes, plain).status == RecordReader::Status::record);
        }
    };
    exchange(records_between_rekeys - 1);
    // What a cipher with the first key makes of the same counters.
    CipherState unchanged{some_key()};
    unchanged.set_nonce(records_between_rekeys - 1);
    Buffer as_before;
    REQUIRE(unchanged.encrypt({}, as_bytes("x"), as_before));
    exchange(1);
    CHECK(hex_encode(bytes.view().subspan(4)) == hex_encode(as_before));
    as_before.clear();
    REQUIRE(unchanged.encrypt({}, as_bytes("x"), as_before));
    exchange(1);
    CHECK(hex_encode(bytes.view().subspan(4)) != hex_encode(as_before));
    // The new key is the one that Noise derives, and the counter goes on.
    CipherState rekeyed{some_key()};
    rekeyed.rekey();
    rekeyed.set_nonce(records_between_rekeys);
    as_before.clear();
    REQUIRE(rekeyed.encrypt({}, as_bytes("x"), as_before));
    CHECK(hex_encode(bytes.view().subspan(4)) == hex_encode(as_before));
}
