#include <random>

#include <catch2/catch.hpp>

#include "cluster/envelope.hpp"

using namespace gs;
using namespace gs::cluster;

TEST_CASE("an envelope comes back as it went", "[cluster][CLU-11]") {
    const Binary body{1, 2, 3};
    for (const auto kind : {Envelope::Kind::call, Envelope::Kind::reply, Envelope::Kind::error, Envelope::Kind::note}) {
        for (const std::uint64_t number : {0ULL, 1ULL, 300ULL, ~0ULL}) {
            CAPTURE(static_cast<int>(kind), number);
            Envelope sent;
            sent.from.role = Role::storage;
            sent.to.role = Role::center;
            sent.kind = kind;
            sent.command = 0xabcd;
            sent.call_id = number;
            sent.subject = ~number;
            sent.generation = number / 2;
            sent.deadline_ms = static_cast<std::uint32_t>(number);
            sent.body = body;
            Buffer out;
            encode_envelope(out, sent);
            Envelope got;
            REQUIRE(decode_envelope(out, got));
            CHECK(got.from.role == sent.from.role);
            CHECK(got.to.role == sent.to.role);
            CHECK(got.kind == kind);
            CHECK(got.command == sent.command);
            CHECK(got.call_id == sent.call_id);
            CHECK(got.subject == sent.subject);
            CHECK(got.generation == sent.generation);
            CHECK(got.deadline_ms == sent.deadline_ms);
            CHECK((Binary{got.body.begin(), got.body.end()} == body));
        }
    }
}

TEST_CASE("an envelope that ends early or names what does not exist is refused", "[cluster][CLU-11]") {
    Envelope sent;
    sent.call_id = 300;
    sent.subject = 1;
    Buffer out;
    encode_envelope(out, sent);
    Envelope got;
    for (std::size_t size = 0; size < out.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(decode_envelope(out.view().first(size), got));
    }
    REQUIRE(decode_envelope(out, got));
    const auto refused_with = [&](std::size_t place, std::uint8_t byte) {
        Binary bytes{out.data(), out.data() + out.size()};
        bytes[place] = byte;
        return !decode_envelope(bytes, got);
    };
    CHECK(refused_with(0, 4));
    CHECK(refused_with(0, 0xff));
    CHECK(refused_with(1, 0x50));
    CHECK(refused_with(1, 0x05));
    CHECK_FALSE(refused_with(1, 0x44));
}

TEST_CASE("no bytes make the reader of envelopes fall", "[cluster][CLU-11]") {
    std::mt19937_64 random{5};
    int read = 0;
    for (int round = 0; round < 50'000; ++round) {
        Binary payload(random() % 40);
        for (auto& byte : payload) byte = static_cast<std::uint8_t>(random() >> (random() % 8));
        if (!payload.empty()) payload[0] &= 0x07;
        Envelope envelope;
        if (!decode_envelope(payload, envelope)) continue;
        ++read;
        CHECK(envelope.body.size() <= payload.size() - 8);
        CHECK(static_cast<std::size_t>(envelope.to.role) < role_count);
        CHECK(static_cast<std::size_t>(envelope.from.role) < role_count);
    }
    CHECK(read > 0);
}
