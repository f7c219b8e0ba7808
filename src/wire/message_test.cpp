#include <random>

#include <catch2/catch.hpp>

#include "wire/message.hpp"

using namespace gs;
using namespace gs::wire;

namespace {

struct Sentence {
    std::string text;
    std::uint32_t number = 0;
    FIELDS(text, number)
};

bool is_refused(const Binary& payload) {
    const auto view = parse_message(payload);
    return view.fault != nullptr && view.body.empty() && view.raw.empty();
}

}  // namespace

TEST_CASE("a message of every kind comes back as it went", "[wire][MSG-02][MSG-03]") {
    for (const auto kind : {Kind::request, Kind::reply, Kind::push, Kind::control}) {
        for (const std::uint64_t id : {0ULL, 1ULL, 127ULL, 128ULL, 16'384ULL, ~0ULL}) {
            CAPTURE(static_cast<int>(kind), id);
            Buffer out;
            write_framed(out, {kind, false, 0xabcd, id}, Sentence{"hello", 7});
            const auto cut = cut_frame(out, 1000);
            REQUIRE(cut.status == FrameCut::Status::frame);
            CHECK(cut.consumed() == out.size());
            const auto view = parse_message(cut.payload);
            REQUIRE(view.fault == nullptr);
            CHECK(view.header.kind == kind);
            CHECK_FALSE(view.header.error);
            CHECK(view.header.command == 0xabcd);
            CHECK(view.header.request_id == (kind == Kind::request || kind == Kind::reply ? id : 0));
            CHECK(view.raw.size() == cut.payload.size());
            CHECK(cut.payload.size() - view.body.size() <= header_bytes_max);
            const auto body = msgpack::decode<Sentence>(view.body);
            REQUIRE(body);
            CHECK(body->text == "hello");
            CHECK(body->number == 7);
        }
    }
}

TEST_CASE("a place in the session comes back as it went", "[wire][SES-01]") {
    for (const auto kind : {Kind::request, Kind::reply, Kind::push}) {
        for (const std::uint64_t number : {0ULL, 1ULL, 300ULL, ~0ULL}) {
            Buffer out;
            write_message(out, {kind, false, 0xabcd, ~0ULL, number}, Sentence{"hello", 7});
            const auto view = parse_message(out);
            REQUIRE(view.fault == nullptr);
            CHECK(view.header.session == number);
            CHECK(msgpack::decode<Sentence>(view.body)->number == 7);
            CHECK(out.size() - view.body.size() <= header_bytes_max);
        }
    }
    Buffer state;
    write_message(state, {Kind::push, false, 1, 0, 0, true}, Sentence{});
    CHECK(parse_message(state).header.state);
}

TEST_CASE("an error is a reply with a code and a sentence", "[wire][MSG-02]") {
    Buffer out;
    write_error(out, {Kind::request, false, 1201, 300}, {Code::limited, "too many"});
    const auto view = parse_message(out);
    REQUIRE(view.fault == nullptr);
    CHECK(view.header.kind == Kind::reply);
    CHECK(view.header.error);
    CHECK(view.header.command == 1201);
    CHECK(view.header.request_id == 300);
    const auto body = msgpack::decode<ErrorBody>(view.body);
    REQUIRE(body);
    CHECK(body->code == Code::limited);
    CHECK(body->message == "too many");
}

TEST_CASE("the header has the bytes of the protocol document", "[wire][MSG-01]") {
    Buffer out;
    write_header(out, {Kind::reply, true, 0x1234, 300});
    CHECK((Binary{out.data(), out.data() + out.size()} == Binary{0x05, 0x34, 0x12, 0xac, 0x02}));
    out.clear();
    write_header(out, {Kind::push, false, 0x1234, 300});
    CHECK((Binary{out.data(), out.data() + out.size()} == Binary{0x02, 0x34, 0x12}));
}

TEST_CASE("flags that were not negotiated are refused", "[wire][MSG-01]") {
    for (int flags = 0; flags < 256; ++flags) {
        CAPTURE(flags);
        const bool reserved = (flags & 0x48) != 0;
        const bool has_id = (flags & flag::kind_mask) < 2;
        const bool is_push = (flags & flag::kind_mask) == 2;
        const bool in_session = (flags & flag::session) != 0;
        const bool wrong_error = (flags & flag::error) != 0 && !has_id;
        const bool wrong_session = in_session && (flags & flag::kind_mask) == 3;
        const bool wrong_state = (flags & flag::state) != 0 && (!is_push || in_session);
        const bool wrong_secret =
            (flags & flag::secret) != 0 && (flags & flag::kind_mask) != 1 && (flags & flag::kind_mask) != 2;
        Binary payload{static_cast<std::uint8_t>(flags), 1, 0};
        if (has_id) payload.push_back(5);
        if (in_session) payload.push_back(9);
        CHECK(is_refused(payload) == (reserved || wrong_error || wrong_session || wrong_state || wrong_secret));
    }
}

TEST_CASE("a message that ends early is refused", "[wire][MSG-02]") {
    CHECK(is_refused({}));
    CHECK(is_refused({2}));
    CHECK(is_refused({2, 1}));
    CHECK_FALSE(is_refused({2, 1, 0}));
    CHECK(is_refused({0x12, 1, 0}));     // a number that is missing,
    CHECK(is_refused({0x12, 1, 0, 0}));  // or is 0
    CHECK_FALSE(is_refused({0x12, 1, 0, 1}));
    CHECK(is_refused({0, 1, 0}));
    CHECK(is_refused({0, 1, 0, 0x80}));
    CHECK_FALSE(is_refused({0, 1, 0, 0x80, 0x01}));
    CHECK(is_refused({0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
}

TEST_CASE("varints hold up to 64 bits and no more", "[wire][MSG-02]") {
    const auto round = [](std::uint64_t value) {
        Buffer out;
        out.end_at(write_varint(out.extend(varint_bytes_max), value));
        out.push_back(0x77);
        BytesView rest = out;
        std::uint64_t back = ~value;
        return read_varint(rest, back) && back == value && rest.size() == 1 && rest[0] == 0x77;
    };
    for (int bit = 0; bit < 64; ++bit) {
        CAPTURE(bit);
        CHECK(round(std::uint64_t{1} << bit));
        CHECK(round((std::uint64_t{1} << bit) - 1));
    }
    CHECK(round(~std::uint64_t{0}));

    const auto read = [](Binary bytes) {
        BytesView view = bytes;
        std::uint64_t value = 0;
        return read_varint(view, value);
    };
    const Binary nine(9, 0xff);
    const auto with = [&](std::initializer_list<std::uint8_t> more) {
        auto bytes = nine;
        bytes.insert(bytes.end(), more);
        return bytes;
    };
    CHECK(read(with({0x01})));
    CHECK_FALSE(read(with({0x02})));
    CHECK_FALSE(read(with({0x81, 0x00})));
    CHECK_FALSE(read(nine));
    CHECK_FALSE(read({}));
}

TEST_CASE("no bytes make the reader of messages fall", "[wire][NET-02]") {
    std::mt19937_64 random{11};
    int read = 0;
    for (int round = 0; round < 20'000; ++round) {
        Binary payload(random() % 20);
        for (auto& byte : payload) byte = static_cast<std::uint8_t>(random() >> (random() % 8));
        const auto view = parse_message(payload);
        if (view.fault != nullptr) continue;
        ++read;
        CHECK(view.raw.size() == payload.size());
        CHECK(view.body.size() <= payload.size() - 3);
    }
    CHECK(read > 0);
}
