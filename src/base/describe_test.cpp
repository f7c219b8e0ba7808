#include "base/describe.hpp"

#include <catch2/catch.hpp>
#include "base/json_tree.hpp"

#include "base/sample_fields.hpp"

using namespace gs;
using sample::Everything;
using sample::Inner;
using sample::Tree;

namespace {

struct Say {
    std::string channel = "world";
    std::string text;
    FIELDS(channel, text)
};
struct Secret {
    static constexpr bool secret = true;
    std::string token = "hidden";
    FIELDS(token)
};
struct Holder {
    Secret login;
    std::int32_t after = 1;
    FIELDS(login, after)
};
struct Member {
    std::string name;
    FIELDS(name)
};
struct Guild {
    std::vector<Member> members;
    std::map<std::int8_t, float> scores;
    FIELDS(members, scores)
};
struct Player {
    Guild guild;
    Binary picture;
    double speed = 1.5;
    FIELDS(guild, picture, speed)
};

template <class T>
std::string failure(std::string_view json, Strictness strictness = Strictness::strict) {
    const auto read = from_json<T>(json, strictness);
    return read ? "no error" : read.error().message();
}

}  // namespace

TEST_CASE("a description has the names and kinds of the fields", "[base][describe]") {
    const auto& type = describe<Player>();
    CHECK(type.name == "Player");
    REQUIRE(type.fields.size() == 3);
    CHECK(type.fields[0].name == "guild");
    CHECK(type.fields[0].type->name == "Guild");
    CHECK(type.fields[2].type->kind == TypeDescription::Kind::real);
    CHECK(&describe<Player>() == &type);
    const auto& tree = describe<Tree>();
    CHECK(tree.fields[1].type->element == &tree);
}

TEST_CASE("a value comes back from JSON as it went", "[base][describe]") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        const auto value = sample::Random{seed}.everything();
        const auto text = to_json(value);
        REQUIRE(is_json(text));
        CHECK(from_json<Everything>(text, Strictness::strict).value() == value);
        const auto tree = parse_json(text);
        CHECK(tree["text"] == value.text);
        CHECK(tree["huge"] == value.huge);
        CHECK(tree["inner"]["level"] == value.inner.level);
    }
}

TEST_CASE("the JSON is what a person would write", "[base][describe]") {
    CHECK(to_json(Say{"world", "a \"b\"\n"}) == R"({"channel":"world","text":"a \"b\"\n"})");
    Player player;
    player.guild.members = {{"Ann"}, {"Bo"}};
    player.guild.scores[-3] = 0.5F;
    player.picture = {0, 255};
    player.speed = std::numeric_limits<double>::infinity();
    CHECK(to_json(player) ==
          R"({"guild":{"members":[{"name":"Ann"},{"name":"Bo"}],"scores":{"-3":0.5}},"picture":"AP8=","speed":null})");
    CHECK(std::isnan(from_json<Player>(to_json(player)).value().speed));
    player.speed = -0.0;
    CHECK(std::signbit(from_json<Player>(to_json(player)).value().speed));
}

TEST_CASE("missing members have their defaults and unknown ones are ignored", "[base][describe]") {
    const auto value = from_json<Everything>(R"({"port": 1, "no such": {"deep": [1]}})").value();
    Everything expected;
    expected.port = 1;
    CHECK(value == expected);
    CHECK(from_json<Player>("{}").value().speed == 1.5);
}

TEST_CASE("wrong JSON is refused with the place and what would be right", "[base][describe]") {
    CHECK(failure<Player>(R"({"guild": {"members": [{"name": "a"}, {"name": 5}]}})") ==
          R"(field "guild.members[1].name" must be text, not a number)");
    CHECK(failure<Player>(R"({"guild": []})") == R"(field "guild" must be an object, not a list)");
    CHECK(failure<Player>("[]") == "the value must be an object, not a list");
    CHECK(failure<Player>(R"({"speed": "fast"})") == R"(field "speed" must be a number, not text)");
    CHECK(failure<Player>(R"({"speed": null})") == R"(field "speed" must be a number, not null)");
    CHECK(failure<Everything>(R"({"port": 65536})") == R"(field "port" must be from 0 to 65535, not 65536)");
    CHECK(failure<Everything>(R"({"small": -129})") == R"(field "small" must be from -128 to 127, not -129)");
    CHECK(failure<Everything>(R"({"byte": -1})") == R"(field "byte" must be from 0 to 255, not -1)");
    CHECK(failure<Everything>(R"({"huge": 99999999999999999999})").find("must be from 0 to") != std::string::npos);
    CHECK(failure<Everything>(R"({"port": 1.5})") ==
          R"(field "port" must be a whole number, not a number with a fraction)");
    CHECK(failure<Everything>(R"({"ratio": 1e300})").find("must be at most 3.4e+38") != std::string::npos);
    CHECK(failure<Everything>(R"({"yes": 1})") == R"(field "yes" must be true or false, not a number)");
    CHECK(failure<Everything>(R"({"by_number": {"x": {}}})") ==
          R"(field "by_number.x": the key must be a whole number)");
    CHECK(failure<Player>(R"({"guild": {"scores": {"200": 1}}})") ==
          R"(field "guild.scores.200": the key must be from -128 to 127)");
    CHECK(failure<Player>(R"({"picture": "A*=="})").find("must be base64 text") != std::string::npos);
    CHECK(failure<Player>("{\"speed\": 1").find("not JSON: parse error at line 1, column 12") == 0);
    CHECK(failure<Player>("{\"speed\": 1e999}").find("not JSON: ") == 0);
    CHECK(failure<Say>("{\"text\": \"\xff\"}").find("not JSON: ") == 0);
}

TEST_CASE("a strict reader names the field that was probably meant", "[base][describe]") {
    CHECK(failure<Say>(R"({"chanel": "world"})") == R"(field "chanel" is unknown; did you mean "channel"?)");
    CHECK(failure<Say>(R"({"zzz": 1})") == R"(field "zzz" is unknown; known are "channel", "text")");
    CHECK(failure<Player>(R"({"guild": {"member": []}})") ==
          R"(field "guild.member" is unknown; did you mean "members"?)");
    CHECK(failure<Say>(R"({"chanel": "world"})", Strictness::lenient) == "no error");
}

TEST_CASE("hostile JSON is refused before it costs much", "[base][describe]") {
    CHECK(failure<Tree>(std::string(100'000, '[')).find("nested too deep") != std::string::npos);
    std::string deep;
    for (int level = 0; level < 100'000; ++level) deep += R"({"children":[)";
    CHECK(failure<Tree>(deep).find("nested too deep") != std::string::npos);
    CHECK(failure<Say>("\"" + std::string(json_bytes_max, 'x') + "\"").find("too long") != std::string::npos);
    // Brackets inside a text are no nesting.
    CHECK(from_json<Say>(R"({"text": ")" + std::string(1000, '[') + R"(\"[["})").has_value());
}

TEST_CASE("hostile msgpack gives an error and no JSON", "[base][describe]") {
    const auto& type = describe<Everything>();
    Everything value;
    value.maybe_inner = Inner{};
    value.members = {{"a", 1}, {"b", 2}};
    value.by_name["x"] = -1;
    value.by_number[-7] = Inner{};
    const auto whole = gs::msgpack::encode(value);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Binary cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK_FALSE(to_json(type, cut).has_value());
        CHECK(dump(type, cut, 10'000).find("<broken: ") != std::string::npos);
    }
    CHECK_FALSE(to_json(describe<Guild>(), Binary{0x91, 0xdd, 0xff, 0xff, 0xff, 0xff}).has_value());
    Binary tree;
    for (int depth = 0; depth < 100'000; ++depth) tree.insert(tree.end(), {0x92, 0xa1, 'n', 0x91});
    CHECK_FALSE(to_json(describe<Tree>(), tree).has_value());
    CHECK(dump(describe<Tree>(), tree, 1'000'000).find("nested too deep") != std::string::npos);
    sample::Random random{5};
    for (int turn = 0; turn < 3000; ++turn) {
        auto bytes = whole;
        bytes[random.below(bytes.size())] = random.integer<std::uint8_t>();
        const auto text = to_json(type, bytes);
        const auto read = gs::msgpack::decode<Everything>(bytes);
        CHECK(text.has_value() == read.has_value());
        if (text) CHECK(is_json(*text));
        CHECK(dump(type, bytes, 200).size() <= 200);
    }
}

TEST_CASE("the JSON of an older or newer version has what both know", "[base][describe]") {
    CHECK(to_json(describe<Say>(), gs::msgpack::encode(Member{"only"})).value() == R"({"channel":"only"})");
    CHECK(to_json(describe<Member>(), gs::msgpack::encode(Say{"a", "b"})).value() == R"({"name":"a"})");
}

TEST_CASE("a dump is one short printable line", "[base][describe]") {
    CHECK(dump(Say{"world", "hi"}) == R"(Say{channel="world", text="hi"})");
    CHECK(dump(Say{"a\nb", "say \"x\""}) == R"(Say{channel="a\nb", text="say \"x\""})");
    CHECK(dump(Say{"w", std::string(100, 'x')}) == "Say{channel=\"w\", text=\"" + std::string(48, 'x') + "…\"}");
    CHECK(dump(Say{"world", "hi"}, 20) == "Say{channel=\"worl…");
    Player player;
    player.guild.members = {{"Ann"}, {"Bo"}};
    player.guild.scores[-3] = 0.5F;
    player.picture = {0, 255};
    CHECK(dump(player) == R"(Player{guild=Guild{members=[Member{name="Ann"}, Member{name="Bo"}], scores={-3: 0.5}}, )"
                          R"(picture=<2 bytes>, speed=1.5})");
}

TEST_CASE("a secret is never dumped", "[base][describe]") {
    CHECK(dump(Secret{}) == "Secret{…}");
    CHECK(dump(Holder{}) == "Holder{login=Secret{…}, after=1}");
}

TEST_CASE("a text that is not UTF-8 is no JSON", "[base][describe]") {
    CHECK_THROWS_AS(to_json(Say{"\xff", ""}), Error);
}
