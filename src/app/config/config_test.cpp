#include "app/config/config.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

#include "app/config/substitution.hpp"
#include "app/config/toml.hpp"

using namespace gs;
using namespace gs::app;

namespace {

namespace fs = std::filesystem;

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "gs-config-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    fs::path write(const std::string& name, std::string_view text) const {
        const fs::path file = path_ / name;
        fs::create_directories(file.parent_path());
        std::ofstream{file, std::ios::binary} << text;
        return file;
    }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

SettingsTree loaded(const ConfigSources& sources) { return load_config(sources).value(); }

std::int64_t port_of(SettingsTree& tree) {
    return tree.root().integer("gateway.tcp.port", 1, {0, 65535}, "", "The port.");
}
std::string name_of(SettingsTree& tree) { return tree.root().text("name", "unnamed", "The name."); }

}  // namespace

TEST_CASE("config layers win in the documented order", "[config][CFG-01]") {
    const Folder folder;
    ConfigSources sources;
    SettingsTree defaults = loaded(sources);
    CHECK(port_of(defaults) == 1);

    sources.file = folder.write("gameserver.toml", "[gateway.tcp]\nport = 2\n");
    SettingsTree file = loaded(sources);
    CHECK(port_of(file) == 2);

    folder.write("conf.d/10-first.toml", "gateway.tcp.port = 3\n");
    SettingsTree first = loaded(sources);
    CHECK(port_of(first) == 3);

    folder.write("conf.d/20-second.toml", "gateway.tcp.port = 4\n");
    folder.write("conf.d/30-other.txt", "not read");
    folder.write("conf.d/.hidden.toml", "not read");
    SettingsTree second = loaded(sources);
    CHECK(port_of(second) == 4);

    sources.environment["GAMESERVER_GATEWAY__TCP__PORT"] = "5";
    SettingsTree environment = loaded(sources);
    CHECK(port_of(environment) == 5);

    sources.sets = {"gateway.tcp.port=6", "gateway.tcp.port=7"};
    SettingsTree set = loaded(sources);
    CHECK(port_of(set) == 7);
    CHECK(set.finish());
}

TEST_CASE("config names the layer of a mistake", "[config][CFG-01]") {
    const Folder folder;
    const fs::path file = folder.write("gameserver.toml", "\n[gateway.tcp]\nport = 70000\n");
    const auto problems = [](const ConfigSources& sources) {
        SettingsTree tree = loaded(sources);
        static_cast<void>(port_of(tree));
        static_cast<void>(name_of(tree));
        return tree.problems();
    };
    using Problems = std::vector<std::string>;
    CHECK(problems({file, {}, {}}) ==
          Problems{file.string() + ":3:8: gateway.tcp.port is 70000; it must be 0 to 65535"});
    CHECK(problems({{}, {{"GAMESERVER_GATEWAY__TCP__PORT", "x"}}, {}}) ==
          Problems{"environment variable GAMESERVER_GATEWAY__TCP__PORT: gateway.tcp.port is \"x\"; it must be a whole "
                   "number, 0 to "
                   "65535"});
    CHECK(problems({{}, {{"GAMESERVER_GATEWAY__TCP__PROT", "1"}}, {}}) ==
          Problems{
              "environment variable GAMESERVER_GATEWAY__TCP__PROT: gateway.tcp.prot is not a known key; did you mean "
              "gateway.tcp.port?"});
    CHECK(problems({{}, {{"GAMESERVER_NAME", "\xff"}}, {}}) ==
          Problems{"environment variable GAMESERVER_NAME: name is not UTF-8"});
    CHECK(problems({{}, {{"PATH", "/bin"}, {"GAMESERVERNAME", "x"}}, {}}).empty());
    CHECK(problems({{}, {}, {"gateway.tcp.port=-1"}}) ==
          Problems{"--set: gateway.tcp.port is -1; it must be 0 to 65535"});
    CHECK(
        problems({{}, {}, {"gateway.tcp.port"}}) ==
        Problems{"--set: \"gateway.tcp.port\" is not of the form key=value, like gateway.tcp.address=127.0.0.1:7001"});
    CHECK(problems({{}, {}, {"=1"}}) ==
          Problems{"--set: \"=1\" is not of the form key=value, like gateway.tcp.address=127.0.0.1:7001"});
    CHECK(problems({{}, {}, {"a b=1"}}) ==
          Problems{"--set: \"a b=1\" is not of the form key=value, like gateway.tcp.address=127.0.0.1:7001"});
    CHECK(problems({{}, {}, {"gateway={tcp = 1}"}}) ==
          Problems{"--set: gateway is \"{tcp = 1}\"; it must be a section: gateway has tcp"});
}

TEST_CASE("config takes typed values as text where text is wanted", "[config][CFG-01]") {
    struct Case {
        std::string typed;
        std::string text;
    };
    const std::vector<Case> cases{{"123", "123"},
                                  {"true", "true"},
                                  {"plain text", "plain text"},
                                  {"\"in quotes\"", "in quotes"},
                                  {"1 # one", "1 # one"},
                                  {"127.0.0.1:7000", "127.0.0.1:7000"},
                                  {"", ""},
                                  {"\"", "\""},
                                  {"[1, 2]", "[1, 2]"},
                                  {"1\n[other]\nx = 1", "1\n[other]\nx = 1"},
                                  {"2020-01-01", "2020-01-01"}};
    for (const Case& typed : cases) {
        INFO(typed.typed);
        SettingsTree set = loaded({{}, {}, {"name=" + typed.typed}});
        CHECK(name_of(set) == typed.text);
        CHECK(set.finish());
        SettingsTree environment = loaded({{}, {{"GAMESERVER_NAME", typed.typed}}, {}});
        CHECK(name_of(environment) == typed.text);
        CHECK(environment.finish());
    }
}

TEST_CASE("config sets lists and rows from the command line", "[config][CFG-01]") {
    const Folder folder;
    const fs::path file = folder.write("gameserver.toml", "[[node]]\nname = 'a'\n[[node]]\nname = 'b'\n");
    const auto names = [](SettingsTree tree) {
        auto all =
            tree.root().tables("node", "The nodes.", [](Settings row) { return row.text("name", "", "The name."); });
        CHECK(tree.problems().empty());
        return all;
    };
    using Names = std::vector<std::string>;
    CHECK(names(loaded({file, {}, {}})) == Names{"a", "b"});
    CHECK(names(loaded({file, {}, {"node[1].name=c"}})) == Names{"a", "c"});
    CHECK(names(loaded({file, {}, {"node=[{name = 'x'}]"}})) == Names{"x"});
    CHECK(names(loaded({file, {}, {"node=[]"}})).empty());
}

TEST_CASE("config fills variables into texts of files", "[config][CFG-02]") {
    const Folder folder;
    ConfigSources sources;
    sources.environment = {{"ZONE", "eu"}, {"PORT", "7001"}, {"EMPTY", ""}, {"QUOTE", "\"x\""}};
    sources.file =
        folder.write("gameserver.toml",
                     "name = \"${ZONE}-${MISSING:-1}\"\n"
                     "list = [\"${ZONE}\", \"$${ZONE}\", \"${EMPTY:-none}\", \"${EMPTY}\", \"$\", \"${QUOTE}\"]\n"
                     "number_as_text = \"${PORT}\"\n"
                     "[gateway.tcp]\nport = \"${PORT}\"\n");
    SettingsTree tree = loaded(sources);
    CHECK(name_of(tree) == "eu-1");
    CHECK(tree.root().text("number_as_text", "", "Text.") == "7001");
    CHECK(port_of(tree) == 7001);
    CHECK(tree.root().texts("list", {}, "A list.") ==
          std::vector<std::string>{"eu", "${ZONE}", "none", "", "$", "\"x\""});
    CHECK(tree.finish());
}

TEST_CASE("config says which variable is missing and where", "[config][CFG-02]") {
    const Folder folder;
    const fs::path file = folder.write("f.toml", "name = \"${TOKEN}\"\n[gateway.tcp]\nport = \"${PORT\"\n");
    SettingsTree tree = loaded({file, {}, {}});
    CHECK(name_of(tree) == "unnamed");
    CHECK(port_of(tree) == 1);
    CHECK(tree.problems() ==
          std::vector<std::string>{
              file.string() + ":1:8: name uses ${TOKEN}, which is not set in the environment; set it, or write "
                              "${TOKEN:-default}",
              file.string() + ":3:8: gateway.tcp.port has ${ without }; close it, or write $${ for a plain ${"});
    CHECK(substitute("${a b}", {}).error().message() ==
          "uses a variable named \"a b\"; a name has letters, digits and _ only. Write $${ for a plain ${");
    CHECK(substitute("${}", {}).error().code() == Code::invalid);
    CHECK(substitute("${X}", {{"X", "\xff"}}).error().message() == "uses ${X}, which is not UTF-8");
    CHECK(substitute("${X}${X}${X}", {{"X", std::string(30000, 'x')}}).error().message() ==
          "is longer than 65536 bytes after its variables are filled in");
    // A value is not looked at again: a variable cannot name another.
    CHECK(substitute("${X}", {{"X", "${Y}"}}).value() == "${Y}");
}

TEST_CASE("config says which file cannot be used", "[config][CFG-01]") {
    const Folder folder;
    const fs::path missing = folder.path() / "missing.toml";
    CHECK(load_config({missing, {}, {}}).error().message() ==
          missing.string() + ": the configuration cannot be read: there is no such file");
    CHECK(load_config({folder.path(), {}, {}}).error().message() ==
          folder.path().string() + ": the configuration cannot be read: it is a directory");
    const fs::path large = folder.write("large.toml", std::string(config_bytes_max + 1, '\n'));
    CHECK(load_config({large, {}, {}}).error().message() ==
          large.string() + ": the configuration is larger than 1048576 bytes");
    const fs::path good = folder.write("good.toml", "name = 'x'\n");
    const fs::path broken = folder.write("conf.d/broken.toml", "\nname\n");
    CHECK_THAT(load_config({good, {}, {}}).error().message(),
               Catch::StartsWith(broken.string() + ":2:5: error in key-value pair"));
}

TEST_CASE("config reads the environment block of a process", "[config][CFG-01]") {
    const char* const variables[] = {"A=1", "B=x=y", "EMPTY=", "broken", nullptr};
    CHECK(environment_of(variables) == Environment{{"A", "1"}, {"B", "x=y"}, {"EMPTY", ""}});
}
