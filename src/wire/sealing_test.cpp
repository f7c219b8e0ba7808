#include "wire/sealing.hpp"

#include <catch2/catch.hpp>

#include "base/crc32c.hpp"

using namespace gs;
using namespace gs::wire;

namespace {

struct Text {
    std::string text;
    FIELDS(text)
};

Binary message(const Header& header, const std::string& text) {
    Buffer out;
    write_message(out, header, Text{text});
    return {out.view().begin(), out.view().end()};
}
Binary payload_of(const Buffer& frame) {
    const auto cut = cut_frame(frame, 1U << 20U);
    REQUIRE(cut.status == FrameCut::Status::frame);
    REQUIRE(cut.consumed() == frame.size());
    return {cut.payload.begin(), cut.payload.end()};
}
Binary sealed(BytesView payload, const Sealing& sealing, bool secret = false) {
    Buffer out;
    seal(payload, sealing, secret, out);
    return payload_of(out);
}

Header request(std::uint64_t id = 300) { return {Kind::request, false, 1234, id, 70'000}; }
const std::string long_text(5000, 'x');
constexpr std::size_t most = 16'384;

}  // namespace

TEST_CASE("what is sealed and unsealed is what it was", "[wire][sealing][MSG-05][MSG-08][MSG-09]") {
    for (std::uint64_t features = 0; features <= feature::all; ++features) {
        for (const bool from_client : {true, false}) {
            for (const auto& text : {std::string{}, std::string{"short"}, long_text}) {
                for (const auto kind : {Kind::request, Kind::reply, Kind::push, Kind::control}) {
                    if (from_client != (kind == Kind::request) && kind != Kind::control) continue;
                    CAPTURE(features, from_client, text.size(), kind);
                    Header header{kind, false, 1234, 5};
                    if (kind == Kind::push || kind == Kind::control) header.request_id = 0;
                    const auto plain = message(header, text);
                    const auto wrapped = sealed(plain, {features, 1024, 77});
                    Buffer out;
                    const auto unsealed = unseal(wrapped, from_client, features, most, out);
                    REQUIRE(unsealed.fault == SealFault::none);
                    CHECK(payload_of(out) == plain);
                    const bool timed = kind == Kind::request && (features & feature::time) != 0;
                    CHECK(unsealed.sent_ms == (timed ? std::optional<std::uint64_t>{77} : std::nullopt));
                    CHECK(is_plain(wrapped, features) == ((features & ~feature::compression) == 0 && wrapped == plain));
                }
            }
        }
    }
}

TEST_CASE("long messages are compressed, short and secret ones are not", "[wire][sealing][MSG-05]") {
    const Sealing sealing{feature::compression, 1024, {}};
    const auto plain = message(request(), long_text);
    CHECK(sealed(plain, sealing).size() < 100);
    CHECK(sealed(plain, sealing, true) == plain);
    CHECK(sealed(plain, {feature::compression, 0, {}}) == plain);
    CHECK(sealed(plain, {feature::compression, 6000, {}}) == plain);
    const auto brief = message(request(), "short");
    CHECK(sealed(brief, sealing) == brief);
    // What does not get shorter stays as it is.
    std::string noise;
    std::uint64_t state = 1;
    for (int index = 0; index < 4000; ++index) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        noise += static_cast<char>('!' + (state >> 33U) % 90);
    }
    const auto dense = message(request(), noise);
    Buffer out;
    REQUIRE(unseal(sealed(dense, sealing), true, sealing.features, most, out).fault == SealFault::none);
    CHECK(payload_of(out) == dense);
}

TEST_CASE("a client's mark of a secret request does not leave it", "[wire][sealing][MSG-05]") {
    auto header = request();
    header.secret = true;
    const auto marked = message(header, long_text);
    for (const std::uint64_t features : {feature::compression, feature::compression | feature::checksum}) {
        Buffer out;
        REQUIRE(unseal(sealed(marked, {features, 1024, {}}, true), true, features, most, out).fault == SealFault::none);
        CHECK(payload_of(out) == message(request(), long_text));
    }
}

TEST_CASE("a bit that changed on the way is found", "[wire][sealing][MSG-08]") {
    const auto whole = sealed(message(request(), "short"), {feature::checksum | feature::time, 1024, 9});
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        CAPTURE(bit);
        auto spoiled = whole;
        spoiled[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        Buffer out;
        CHECK(unseal(spoiled, true, feature::checksum | feature::time, most, out).fault != SealFault::none);
        CHECK(out.empty());
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Buffer out;
        CHECK(unseal(BytesView{whole}.first(size), true, feature::checksum | feature::time, most, out).fault !=
              SealFault::none);
    }
}

TEST_CASE("a length that is too long is refused before anything is allocated", "[wire][sealing][MSG-05]") {
    const auto bomb = [](std::uint64_t length) {
        Buffer out;
        write_header(out, request());
        out.data()[0] |= flag::compressed;
        out.end_at(write_varint(out.extend(varint_bytes_max), length));
        out.append(Binary(200, 0xff));
        return Binary{out.view().begin(), out.view().end()};
    };
    for (const std::uint64_t length : {std::uint64_t{most + 1}, std::uint64_t{1} << 31U, std::uint64_t{1} << 63U}) {
        CAPTURE(length);
        Buffer out;
        CHECK(unseal(bomb(length), true, feature::compression, most, out).fault == SealFault::compression);
        CHECK(out.capacity() < 2 * most);
    }
    // One that says less, or more, than its block holds.
    auto honest = sealed(message(request(), long_text), {feature::compression, 1024, {}});
    for (const std::size_t length : {std::size_t{0}, std::size_t{10}, long_text.size() + 2, long_text.size() + 4}) {
        auto liar = bomb(length);
        Buffer out;
        CHECK(unseal(liar, true, feature::compression, most, out).fault == SealFault::compression);
        CHECK(out.empty());
    }
    for (std::size_t size = 10; size + 1 < honest.size(); ++size) {
        Buffer out;
        CHECK(unseal(BytesView{honest}.first(size), true, feature::compression, most, out).fault != SealFault::none);
    }
}

TEST_CASE("what the hellos did not agree on is refused", "[wire][sealing][MSG-05][MSG-08][MSG-09]") {
    const auto fault = [](BytesView payload, std::uint64_t features) {
        Buffer out;
        return unseal(payload, true, features, most, out).fault;
    };
    const auto plain = message(request(), long_text);
    CHECK(fault(sealed(plain, {feature::compression, 1024, {}}), feature::time) == SealFault::malformed);
    CHECK(fault(sealed(plain, {feature::compression, 1024, {}}), 0) == SealFault::malformed);
    CHECK(fault(sealed(plain, {feature::checksum, 0, {}}), 0) == SealFault::malformed);
    CHECK(fault(plain, feature::checksum) == SealFault::checksum);
    CHECK(fault(plain, feature::time) == SealFault::malformed);
    CHECK(fault(sealed(plain, {feature::time, 0, 1ULL << 53U}), feature::time) == SealFault::none);
    CHECK(fault(sealed(plain, {feature::time, 0, 1ULL << 63U}), feature::time) == SealFault::malformed);
}
