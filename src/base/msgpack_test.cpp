#define MSGPACK_NO_BOOST
#include "base/msgpack.hpp"

#include <catch2/catch.hpp>
#include <msgpack.hpp>

#include "base/sample_fields.hpp"

using namespace gs;
using sample::Everything;
using sample::Tree;

namespace {

template <class T>
Binary packed(const T& value) {
    ::msgpack::sbuffer out;
    ::msgpack::pack(out, value);
    const auto bytes = as_bytes({out.data(), out.size()});
    return {bytes.begin(), bytes.end()};
}

struct Short {
    std::int32_t number = 3;
    FIELDS(number)
};
struct Long {
    std::int32_t number = 3;
    std::string text = "default";
    std::optional<Short> more;
    FIELDS(number, text, more)
};

}  // namespace

TEST_CASE("every kind of value comes back as it went", "[base][msgpack]") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        const auto value = sample::Random{seed}.everything();
        CHECK((gs::msgpack::decode<Everything>(gs::msgpack::encode(value)).value() == value));
    }
}

TEST_CASE("another implementation reads what is written and writes the same", "[base][msgpack]") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        CAPTURE(seed);
        auto value = sample::Random{seed}.everything();
        value.ratio = 0.5F;  // the other one writes real numbers without a fraction as integers
        value.precise = 0.1;
        const auto ours = gs::msgpack::encode(value);
        const auto handle = ::msgpack::unpack(reinterpret_cast<const char*>(ours.data()), ours.size());
        REQUIRE(handle.get().type == ::msgpack::type::ARRAY);
        REQUIRE(handle.get().via.array.size == field_count<Everything>);
        CHECK(handle.get().via.array.ptr[14].type == ::msgpack::type::BIN);
        CHECK((packed(handle.get()) == ours));
    }
}

TEST_CASE("every length of integers and texts is the one another implementation chooses", "[base][msgpack]") {
    for (int bit = 0; bit < 64; ++bit) {
        for (const auto near : {-1, 0, 1}) {
            const auto value = (std::uint64_t{1} << bit) + static_cast<std::uint64_t>(near);
            const auto negative = static_cast<std::int64_t>(~value);
            CAPTURE(value);
            CHECK(gs::msgpack::encode(value) == packed(value));
            CHECK(gs::msgpack::encode(negative) == packed(negative));
            CHECK(gs::msgpack::decode<std::uint64_t>(packed(value)).value() == value);
            CHECK(gs::msgpack::decode<std::int64_t>(packed(negative)).value() == negative);
        }
    }
    for (const std::size_t size : {0U, 1U, 15U, 16U, 31U, 32U, 255U, 256U, 65535U, 65536U}) {
        CAPTURE(size);
        const std::string text(size, 'x');
        CHECK((gs::msgpack::encode(text) == packed(text)));
        CHECK((gs::msgpack::decode<std::string>(packed(text)).value() == text));
        const std::vector<std::int32_t> list(size, 1);
        CHECK((gs::msgpack::encode(list) == packed(list)));
        CHECK((gs::msgpack::decode<std::vector<std::int32_t>>(packed(list)).value() == list));
        std::map<std::int64_t, bool> map;
        for (std::size_t key = 0; key < size; ++key) map[static_cast<std::int64_t>(key)] = true;
        CHECK((gs::msgpack::encode(map) == packed(map)));
        CHECK((gs::msgpack::decode<std::map<std::int64_t, bool>>(packed(map)).value() == map));
        const Binary bytes(size, 9);
        CHECK((gs::msgpack::encode(bytes) == packed(std::vector<char>(size, 9))));
    }
    CHECK(gs::msgpack::decode<double>(packed(1.5F)).value() == 1.5);
    CHECK(gs::msgpack::decode<double>(packed(7)).value() == 7);
}

TEST_CASE("an older or newer version of a structure is read", "[base][msgpack]") {
    const auto grown = gs::msgpack::decode<Long>(gs::msgpack::encode(Short{5})).value();
    CHECK(grown.number == 5);
    CHECK(grown.text == "default");
    CHECK(gs::msgpack::decode<Short>(gs::msgpack::encode(Long{6, "new", Short{}})).value().number == 6);
}

TEST_CASE("a message cut at any byte is an error", "[base][msgpack]") {
    const auto whole = gs::msgpack::encode(sample::Random{1}.everything());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        // A copy of exactly that size, so that a sanitizer sees a read past its end.
        const Binary cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK_FALSE(gs::msgpack::decode<Everything>(cut).has_value());
    }
    auto longer = whole;
    longer.push_back(0xc0);
    CHECK_FALSE(gs::msgpack::decode<Everything>(longer).has_value());
}

TEST_CASE("bytes changed at random never do more than fail", "[base][msgpack]") {
    sample::Random random{42};
    const auto whole = gs::msgpack::encode(random.everything());
    for (int turn = 0; turn < 5000; ++turn) {
        auto bytes = whole;
        for (auto changes = 1 + random.below(4); changes > 0; --changes) {
            bytes[random.below(bytes.size())] = random.integer<std::uint8_t>();
        }
        const auto read = gs::msgpack::decode<Everything>(bytes);
        if (!read) CHECK(read.error().code() == Code::invalid);
    }
}

TEST_CASE("a promised length without the bytes costs nothing", "[base][msgpack]") {
    using List = std::vector<std::string>;
    CHECK_FALSE(gs::msgpack::decode<List>(Binary{0xdd, 0xff, 0xff, 0xff, 0xff}).has_value());
    CHECK_FALSE(gs::msgpack::decode<std::string>(Binary{0xdb, 0xff, 0xff, 0xff, 0xff, 'a'}).has_value());
    CHECK_FALSE(gs::msgpack::decode<Binary>(Binary{0xc6, 0xff, 0xff, 0xff, 0xff, 'a'}).has_value());
    CHECK_FALSE(gs::msgpack::decode<std::map<std::string, bool>>(Binary{0xdf, 0xff, 0xff, 0xff, 0xff}).has_value());
    CHECK_FALSE(gs::msgpack::decode<Short>(Binary{0xdd, 0xff, 0xff, 0xff, 0xff, 1}).has_value());
}

TEST_CASE("nesting without end uses no stack", "[base][msgpack]") {
    Binary unknown{0x92, 3};
    unknown.insert(unknown.end(), 100'000, 0x91);
    unknown.push_back(0xc0);
    CHECK(gs::msgpack::decode<Short>(unknown).value().number == 3);

    Binary tree;
    for (int depth = 0; depth < 100'000; ++depth) tree.insert(tree.end(), {0x92, 0xa1, 'n', 0x91});
    const auto read = gs::msgpack::decode<Tree>(tree);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().message().find("nested too deep") != std::string::npos);

    Tree deep{"leaf", {}};
    for (int depth = 1; depth < 64; ++depth) {
        Tree above{"node", {}};
        above.children.push_back(std::move(deep));
        deep = std::move(above);
    }
    CHECK(gs::msgpack::decode<Tree>(gs::msgpack::encode(deep)).value() == deep);
}

TEST_CASE("numbers outside their field and wrong kinds are errors that say where", "[base][msgpack]") {
    CHECK_FALSE(gs::msgpack::decode<std::uint8_t>(gs::msgpack::encode(256)).has_value());
    CHECK_FALSE(gs::msgpack::decode<std::int8_t>(gs::msgpack::encode(-129)).has_value());
    CHECK_FALSE(gs::msgpack::decode<std::uint32_t>(gs::msgpack::encode(-1)).has_value());
    CHECK_FALSE(
        gs::msgpack::decode<std::int64_t>(gs::msgpack::encode(std::numeric_limits<std::uint64_t>::max())).has_value());
    CHECK_FALSE(gs::msgpack::decode<std::string>(Binary{0xa1, 0xff}).has_value());
    CHECK_FALSE(gs::msgpack::decode<bool>(Binary{0xc0}).has_value());
    CHECK_FALSE(gs::msgpack::decode<Short>(Binary{0xc1}).has_value());
    const auto wrong = gs::msgpack::decode<Short>(Binary{0x91, 0xa1, 'x'});
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().message() == "message body: a whole number is expected at byte 2");
}
