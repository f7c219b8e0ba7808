#include "app/schema.hpp"

#include <fstream>

#include <catch2/catch.hpp>
#include "base/json_tree.hpp"

using namespace gs;
using namespace gs::app;

namespace schema_test {

struct Inner {
    std::uint8_t level = 7;
    std::optional<std::string> title;
    FIELDS(level, title)
};
/// Every kind of field, with and without a default of its own.
struct Everything {
    bool yes = true;
    std::int8_t small = -1;
    std::uint32_t middle = 0;
    std::int64_t large = -5;
    PlayerId player{};
    float half = 0.5F;
    double real = 0;
    std::string text = "a \"b\"";
    Binary bytes{1, 2};
    std::optional<std::uint16_t> maybe;
    std::vector<Inner> list;
    std::map<std::uint64_t, std::string> names{{3, "c"}};
    std::map<std::string, Binary> blobs;
    Inner inner{};
    Inner other{9, "x"};
    std::vector<std::optional<bool>> flags;
    FIELDS(yes, small, middle, large, player, half, real, text, bytes, maybe, list, names, blobs, inner, other, flags)
};
/// Holds itself.
struct Tree {
    std::uint64_t value = 0;
    std::vector<Tree> children;
    FIELDS(value, children)
};
struct Moved {
    double x = 0;
    static constexpr bool state = true;
    FIELDS(x)
};
struct Undeclared {
    FIELDS()
};
GS_REQUEST(1802, Everything, Tree)
GS_REQUEST(1801, Tree, Done)
GS_PUSH(1803, Moved)
GS_PUSH(1804, Undeclared)

class Sample final : public Module {
public:
    explicit Sample(ModuleContext& context) {
        context.on(&Sample::everything, this);
        context.on(&Sample::tree, this);
        context.pushes<Moved>();
        static_cast<void>(context.config("most", 5, {1, 10}, "things", "of a test"));
    }

private:
    Tree everything(Player& /*player*/, const Everything& /*request*/) { return {}; }
    Task<Done> tree(Player& /*player*/, Tree /*request*/) { co_return Done{}; }
};

namespace elsewhere {
struct Tree {
    FIELDS()
};
GS_PUSH(1805, Tree)
}  // namespace elsewhere

class Ambiguous final : public Module {
public:
    explicit Ambiguous(ModuleContext& context) {
        context.on(&Ambiguous::tree, this);
        context.pushes<elsewhere::Tree>();
    }

private:
    Done tree(Player& /*player*/, const Tree& /*request*/) { return {}; }
};

/// Does in its constructor what is for handlers.
class Hasty final : public Module {
public:
    explicit Hasty(ModuleContext& context) {
        context.pushes<Moved>();
        context.push_all(Moved{});
    }
};
class Forgetful final : public Module {
public:
    explicit Forgetful(ModuleContext& context) { context.push_all(Undeclared{}); }
};

template <class T>
ModuleInfo module_info(std::string_view name) {
    return {name, [](ModuleContext& context) -> std::unique_ptr<Module> { return std::make_unique<T>(context); }};
}

/// What the kit's own tests use, and what tsc checks there.
std::string sample_file() {
    std::ifstream file{GS_SOURCE_DIR "/src/client/js/test/sample_schema.ts"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class Empty final : public Module {
public:
    explicit Empty(ModuleContext& /*context*/) {}
};

TEST_CASE("the schema in TypeScript has each module, message and structure", "[unit][NEW-06]") {
    const auto sample = module_info<Sample>("sample"), empty = module_info<Empty>("empty");
    const std::array<const ModuleInfo*, 2> modules{&sample, &empty};
    CHECK(schema_typescript(modules).value() == sample_file());
}

TEST_CASE("the schema in JSON has types with their limits and defaults", "[unit][NEW-06]") {
    const auto sample = module_info<Sample>("sample");
    const std::array<const ModuleInfo*, 1> modules{&sample};
    const auto text = schema_json(modules).value();
    const auto schema = parse_json(text);
    CHECK(schema["protocol"] == 1);
    CHECK(schema["errors"][0] == parse_json(R"({"number":1,"name":"invalid"})"));
    CHECK(schema["errors"].back()["name"] == "outdated");
    const auto& module = schema["modules"][0];
    CHECK(module["name"] == "sample");
    CHECK(module["requests"] == parse_json(R"([
        {"command":1801,"name":"sample.Tree","type":"Tree","reply":"Done"},
        {"command":1802,"name":"sample.Everything","type":"Everything","reply":"Tree"}])"));
    CHECK(module["pushes"] == parse_json(R"([
        {"command":1803,"name":"sample.Moved","type":"Moved","state":true}])"));
    CHECK(module["structures"][0] == parse_json(R"({"name":"Tree","fields":[
        {"name":"value","type":{"kind":"u64","least":"0","most":"18446744073709551615"},"default":0},
        {"name":"children","type":{"kind":"list","element":{"kind":"structure","name":"Tree"}},"default":[]}]})"));
    const auto& fields = module["structures"][3]["fields"];
    CHECK(fields[3] == parse_json(R"({"name":"large","type":
        {"kind":"i64","least":"-9223372036854775808","most":"9223372036854775807"},"default":-5})"));
    CHECK(fields[11]["type"] == parse_json(R"({"kind":"map",
        "key":{"kind":"u64","least":"0","most":"18446744073709551615"},"element":{"kind":"text"}})"));
    CHECK(schema_json(modules).value() == text);
}

TEST_CASE("a schema that clients could not use is refused and says why", "[unit][NEW-06]") {
    const auto ambiguous = module_info<Ambiguous>("ambiguous");
    const std::array<const ModuleInfo*, 1> modules{&ambiguous};
    CHECK(schema_json(modules).error().message() ==
          "two structures in the messages of module ambiguous are named Tree; rename one of them");
    const auto hasty = module_info<Hasty>("hasty"), forgetful = module_info<Forgetful>("forgetful");
    const std::array<const ModuleInfo*, 1> acts{&hasty}, forgets{&forgetful};
    CHECK(schema_json(acts).error().message() == "a module's constructor may only register");
    CHECK(schema_json(forgets).error().message() ==
          "push Undeclared is not declared; say context.pushes<Undeclared>() in the module's constructor");
}

}  // namespace schema_test
