// The vectors are public ones: for NX those of cacophony (vectors/cacophony.txt; the older copy of them in snow has the
// same messages and another handshake_hash), for XXpsk3 those of flynn/noise (vectors.txt).
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/crypto/crypto.hpp"
#include "wire/noise/handshake.hpp"

using namespace gs;
using namespace gs::wire::noise;

namespace {

Binary bytes(std::string_view hex) { return hex_decode(hex).value(); }

Secret secret(std::string_view hex) {
    const auto decoded = bytes(hex);
    return Secret{std::span<const std::uint8_t, 32>{decoded.data(), 32}};
}

ExchangeKey key(std::string_view hex) { return ExchangeKey::from_secret(secret(hex)); }

struct Message {
    const char* payload;
    const char* ciphertext;
};

struct Vector {
    Pattern pattern;
    const char* prologue;
    const char *initiator_static, *initiator_ephemeral, *responder_static, *responder_ephemeral, *shared;
    const char* hash;  // empty: not published
    std::vector<Message> messages;
};

const Vector nx{
    Pattern::nx,
    "4a6f686e2047616c74",
    "",
    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    "",
    "6959d38aed4b70824a50c722b47c07e00e88eb3eb14f351c11cbee4f56dac33b",
    {{"4c756477696720766f6e204d69736573",
      "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573"},
     {"4d757272617920526f746862617264",
      "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088430da8899553a0e2d18bb3bcdf632634e25dd60e400ecc50"
      "c371de2cd83257c7636c5913e463b6bd3f3efe3eb1c9e92f10dde5d45c312e42ff98cfadd9f9e92b01ec7604e5d2150eef5db0aed53ab2"
      "03"},
     {"462e20412e20486179656b", "deefd230bea16077f1ceecaad5e4284c3bf2c564e20f694a61b9d4"},
     {"4361726c204d656e676572", "6bfa60de93cf432f460dcc86cf66716c22ffb502125832433808c0"},
     {"4a65616e2d426170746973746520536179", "9c9608d8fc3ef689ae393775e8bb60c16f28ab12ff5c94015961e54addb3d64983"},
     {"457567656e2042f6686d20766f6e2042617765726b",
      "2490983755cc8a904f08a5876acb67db6821de003421b2f72f9f2389b21105ed4d43c4c799"}}};

const Vector xxpsk3{
    Pattern::xxpsk3,
    "",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
    "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60",
    "2176657279736563726574766572797365637265747665727973656372657421",
    "",
    {{"", "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254648d756cb03de7ad06e87f9a577c00de"},
     {"",
      "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d4846696a7a5454cc70bb4eec2a2f7c616c143564ff1ae149458"
      "f9e70afb3498be7a88c9feda8ece3bb7d846bd57a37fc9cf362b7d090998d862bd82fcf9a19cf154e1"},
     {"",
      "f5b6224ea13577089dc14b20ca8e90d0cedede4faff50348d4d0a0f941182ad787d1e72132665f8402f660af90e07e671606bb5a4931d2"
      "44dfa6590809fac237"},
     {"79656c6c6f777375626d6172696e65", "5e80fec73b32f6ff466aa5addbc2b16e2cf062f09c36796ecb2efcc35cac99"},
     {"7375626d6172696e6579656c6c6f77", "df3c8983cb9f286df65e57d0010dc65eeca3bca44b6b240da8ebf92be581cd"}}};

HandshakeKeys keys_of(const char* own, const char* shared, const char* ephemeral) {
    HandshakeKeys keys;
    if (*own != 0) keys.own_static = key(own);
    if (*shared != 0) keys.shared = secret(shared);
    keys.ephemeral = key(ephemeral);
    return keys;
}

/// Both sides, with the keys of a vector.
struct Two {
    explicit Two(const Vector& vector) : Two{vector, vector.prologue, vector.shared} {}
    /// The responder has another prologue or psk.
    Two(const Vector& vector, const char* prologue, const char* shared)
        : initiator{vector.pattern, Side::initiator, bytes(vector.prologue),
                    keys_of(vector.initiator_static, vector.shared, vector.initiator_ephemeral)},
          responder{vector.pattern, Side::responder, bytes(prologue),
                    keys_of(vector.responder_static, shared, vector.responder_ephemeral)} {}

    Handshake& writer(std::size_t step) { return step % 2 == 0 ? initiator : responder; }
    Handshake& reader(std::size_t step) { return step % 2 == 0 ? responder : initiator; }
    /// The message of that step, after those before it have been read.
    Binary message(std::size_t step) {
        for (std::size_t before = 0; before < step; ++before) reader(before).read(write(before)).value();
        return write(step);
    }
    Binary write(std::size_t step) {
        Buffer out;
        writer(step).write(as_bytes("payload"), out).value();
        return {out.view().begin(), out.view().end()};
    }

    Handshake initiator, responder;
};

std::size_t steps_of(const Vector& vector) { return vector.pattern == Pattern::nx ? 2 : 3; }

}  // namespace

TEST_CASE("Noise makes the messages of the public test vectors", "[wire][noise][MSG-06]") {
    for (const auto* vector : {&nx, &xxpsk3}) {
        CAPTURE(vector->pattern == Pattern::nx ? "NX" : "XXpsk3");
        Two two{*vector};
        const auto steps = steps_of(*vector);
        for (std::size_t step = 0; step < steps; ++step) {
            CAPTURE(step);
            CHECK(two.writer(step).my_turn());
            CHECK_FALSE(two.reader(step).my_turn());
            Buffer out;
            two.writer(step).write(bytes(vector->messages[step].payload), out).value();
            CHECK(hex_encode(out) == vector->messages[step].ciphertext);
            CHECK(hex_encode(two.reader(step).read(out).value()) == vector->messages[step].payload);
        }
        CHECK(two.initiator.finished());
        CHECK(two.responder.finished());
        CHECK(two.initiator.hash() == two.responder.hash());
        if (*vector->hash != 0) CHECK(hex_encode(two.initiator.hash()) == vector->hash);
        CHECK(two.initiator.remote_static() == key(vector->responder_static).public_key());
        if (vector->pattern == Pattern::xxpsk3)
            CHECK(two.responder.remote_static() == key(vector->initiator_static).public_key());

        auto own = two.initiator.split();
        auto other = two.responder.split();
        for (auto step = steps; step < vector->messages.size(); ++step) {
            CAPTURE(step);
            const bool of_initiator = (step - steps) % 2 == 0;
            auto& writer = of_initiator ? own.of_initiator : other.of_responder;
            auto& reader = of_initiator ? other.of_initiator : own.of_responder;
            Buffer cipher;
            Buffer plain;
            REQUIRE(writer.encrypt({}, bytes(vector->messages[step].payload), cipher));
            CHECK(hex_encode(cipher) == vector->messages[step].ciphertext);
            REQUIRE(reader.decrypt({}, cipher, plain));
            CHECK(hex_encode(plain) == vector->messages[step].payload);
        }
    }
}

TEST_CASE("a handshake message that was changed is found out by the end", "[wire][noise][MSG-06]") {
    for (const auto* vector : {&nx, &xxpsk3}) {
        const auto steps = steps_of(*vector);
        for (std::size_t step = 0; step < steps; ++step) {
            const auto size = Two{*vector}.message(step).size();
            for (std::size_t bit = 0; bit < size * 8; ++bit) {
                // X25519 ignores the highest bit of a key; the hash does not.
                CAPTURE(step, bit);
                Two two{*vector};
                auto message = two.message(step);
                message[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
                auto read = two.reader(step).read(message).has_value();
                for (auto next = step + 1; next < steps && read; ++next)
                    read = two.reader(next).read(two.write(next)).has_value();
                CHECK_FALSE(read);
            }
        }
    }
}

TEST_CASE("a handshake message that is cut or too long is refused", "[wire][noise][MSG-06]") {
    for (const auto* vector : {&nx, &xxpsk3}) {
        for (std::size_t step = 0; step < steps_of(*vector); ++step) {
            const auto size = Two{*vector}.message(step).size();
            // The payload of the first message of NX is plain and may have any length.
            const auto least = vector->pattern == Pattern::nx && step == 0 ? 32 : size;
            for (std::size_t length = 0; length < least; ++length) {
                CAPTURE(step, length);
                Two two{*vector};
                auto message = two.message(step);
                message.resize(length);
                CHECK_FALSE(two.reader(step).read(message));
                // Nothing can be done with it any more.
                CHECK_FALSE(two.reader(step).read(Two{*vector}.message(step)));
            }
            Two two{*vector};
            auto message = two.message(step);
            message.resize(message_bytes_max + 1);
            CHECK_FALSE(two.reader(step).read(message));
        }
        Two two{*vector};
        Buffer out;
        CHECK_FALSE(two.initiator.write(Binary(message_bytes_max, 1), out));
    }
}

TEST_CASE("another prologue breaks the handshake", "[wire][noise][MSG-06]") {
    Two two{nx, "4a6f686e2047616c75", ""};
    const auto second = two.message(1);
    CHECK_FALSE(two.initiator.read(second));
    CHECK_FALSE(two.initiator.finished());
}

TEST_CASE("another shared key breaks the handshake", "[wire][noise][MSG-06]") {
    Two two{xxpsk3, "", "2176657279736563726574766572797365637265747665727973656372657422"};
    const auto third = two.message(2);
    CHECK_FALSE(two.responder.read(third));
    CHECK_FALSE(two.responder.finished());

    Two none{xxpsk3, "", ""};
    const auto again = none.message(2);
    CHECK_FALSE(none.responder.read(again));
}

TEST_CASE("public keys with which everybody agrees on zero are refused", "[wire][noise][MSG-06]") {
    // The points of order 1, 2, 4 and 8 and what is the same modulo p: https://cr.yp.to/ecdh.html
    const auto point = GENERATE("0000000000000000000000000000000000000000000000000000000000000000",
                                "0100000000000000000000000000000000000000000000000000000000000000",
                                "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                                "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    CAPTURE(point);
    const auto low = bytes(point);
    SECTION("of the initiator") {
        Two two{nx};
        two.responder.read(low).value();  // nothing is agreed on yet
        Buffer out;
        CHECK_FALSE(two.responder.write({}, out));
    }
    SECTION("of the responder") {
        Two two{nx};
        auto second = two.message(1);
        std::copy(low.begin(), low.end(), second.begin());
        const auto read = two.initiator.read(second);
        REQUIRE_FALSE(read);
        CHECK_THAT(read.error().message(), Catch::Contains("not a usable one"));
    }
}

TEST_CASE("a handshake goes in turn and ends", "[wire][noise][MSG-06]") {
    Buffer out;
    SECTION("who answers does not begin") { CHECK_FALSE(Two{nx}.responder.write({}, out)); }
    SECTION("who begins does not read first") { CHECK_FALSE(Two{nx}.initiator.read(Two{nx}.message(0))); }
    SECTION("nobody writes twice") {
        Two two{nx};
        two.initiator.write({}, out).value();
        CHECK_FALSE(two.initiator.write({}, out));
    }
    SECTION("nothing comes after the end") {
        Two two{nx};
        two.initiator.read(two.message(1)).value();
        REQUIRE(two.initiator.finished());
        CHECK_FALSE(two.initiator.write({}, out));
        CHECK_FALSE(two.initiator.finished());
    }
    SECTION("a side without its static key cannot answer") {
        Handshake responder{Pattern::nx, Side::responder, {}, {}};
        responder.read(Two{nx}.message(0)).value();
        CHECK_FALSE(responder.write({}, out));
    }
}

TEST_CASE("every handshake has keys of its own", "[wire][noise][MSG-06]") {
    const auto first_message = [] {
        Handshake handshake{Pattern::nx, Side::initiator, {}, {}};
        Buffer out;
        handshake.write({}, out).value();
        return hex_encode(out);
    };
    CHECK(first_message() != first_message());
}

TEST_CASE("a cipher whose counter is used up encrypts and decrypts nothing", "[wire][noise][MSG-06]") {
    CipherState writer{secret(nx.responder_static)};
    CipherState reader{secret(nx.responder_static)};
    const auto last = ~std::uint64_t{0} - 1;
    writer.set_nonce(last);
    reader.set_nonce(last);
    Buffer cipher;
    Buffer plain;
    REQUIRE(writer.encrypt({}, as_bytes("the last"), cipher));
    REQUIRE(reader.decrypt({}, cipher, plain));
    CHECK(as_text(plain) == "the last");
    Buffer more;
    CHECK_FALSE(writer.encrypt({}, as_bytes("one more"), more));
    CHECK(more.empty());
    CHECK_FALSE(reader.decrypt({}, cipher, more));
    CHECK(more.empty());
}
