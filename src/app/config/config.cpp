#include "app/config/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>

#include "app/config/substitution.hpp"
#include "app/config/toml.hpp"
#include "base/escape.hpp"
#include "base/utf8.hpp"

namespace gs::app {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view environment_prefix = "GAMESERVER_";

Result<std::string> read_file(const fs::path& file) {
    const auto unreadable = [&file](std::string_view why) {
        return Error{Code::invalid, "{}: the configuration cannot be read: {}", file.string(), why};
    };
    std::error_code problem;
    const fs::file_status status = fs::status(file, problem);
    if (status.type() == fs::file_type::not_found) return unreadable("there is no such file");
    if (problem) return unreadable(problem.message());
    if (status.type() == fs::file_type::directory) return unreadable("it is a directory");
    std::ifstream stream{file, std::ios::binary};
    if (!stream) return unreadable(std::strerror(errno));
    // One byte more than allowed, so that the parser sees the excess and says so.
    std::string text(config_bytes_max + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (stream.bad()) return unreadable("reading failed");
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

/// The value as TOML would read it, if it would read exactly one; the keys then begin with "value".
std::optional<SettingsTree> read_as_toml(std::string_view typed) {
    Result<SettingsTree> parsed = parse_toml(fmt::format("value = {}", typed), "value");
    if (!parsed) return std::nullopt;
    const auto& values = parsed->values();
    const auto is_value = [](const auto& entry) { return entry.first == "value" || entry.first.starts_with("value["); };
    if (!std::all_of(values.begin(), values.end(), is_value)) return std::nullopt;
    const auto top = values.find("value");
    if (top == values.end() || std::holds_alternative<SettingSection>(top->second.value)) return std::nullopt;
    if (std::holds_alternative<SettingUnusable>(top->second.value)) return std::nullopt;
    return *std::move(parsed);
}

/// What the environment or the command line says for one key: TOML if it can be, else the text as it is.
void set_typed(SettingsTree& tree, const std::string& path, const std::string& typed, const Origin& where) {
    if (!is_utf8(typed)) {
        tree.add_problem(where, fmt::format("{} is not UTF-8", path));
        tree.set(path, {SettingUnusable{}, where, where});
        return;
    }
    const std::optional<SettingsTree> parsed = read_as_toml(typed);
    if (!parsed) {
        tree.set(path, {typed, where, where, typed});
        return;
    }
    for (const auto& [below, setting] : parsed->values()) {
        const bool is_top = below == "value";
        tree.set(path + below.substr(std::string_view{"value"}.size()),
                 {setting.value, where, where, is_top ? std::optional{typed} : std::nullopt});
    }
}

void fill_in_variables(SettingsTree& tree, const Environment& environment) {
    for (auto& [path, setting] : tree.values()) {
        const auto fill = [&, &path = path, &setting = setting](std::string& text) {
            Result<std::string> filled = substitute(text, environment);
            if (!filled) {
                tree.add_problem(setting.value_at, fmt::format("{} {}", path, filled.error().message()));
                return false;
            }
            text = *std::move(filled);
            return true;
        };
        if (auto* list = std::get_if<SettingList>(&setting.value)) {
            const auto fill_item = [&fill](SettingScalar& item) {
                auto* text = std::get_if<std::string>(&item);
                return text == nullptr || fill(*text);
            };
            if (!std::all_of(list->begin(), list->end(), fill_item)) setting.value = SettingUnusable{};
        } else if (auto* text = std::get_if<std::string>(&setting.value)) {
            const std::string written = *text;
            if (!fill(*text)) {
                setting.value = SettingUnusable{};
            } else if (*text != written) {
                // port = "${PORT}" shall do for a number; `typed` keeps it a text where a text is wanted.
                setting.typed = *text;
                const std::optional<SettingsTree> parsed = read_as_toml(*setting.typed);
                if (!parsed) continue;
                const auto& value = parsed->values().find("value")->second.value;
                if (std::holds_alternative<bool>(value) || std::holds_alternative<std::int64_t>(value) ||
                    std::holds_alternative<double>(value)) {
                    setting.value = value;
                }
            }
        }
    }
}

Result<void> overlay_file(SettingsTree& tree, const fs::path& file, const Environment& environment) {
    Result<std::string> text = read_file(file);
    if (!text) return text.error();
    Result<SettingsTree> layer = parse_toml(*text, file.string());
    if (!layer) return layer.error();
    fill_in_variables(*layer, environment);
    tree.overlay(*layer);
    return {};
}

Result<std::vector<fs::path>> files_of(const fs::path& file) {
    std::vector<fs::path> additions;
    const fs::path folder = file.parent_path() / "conf.d";
    std::error_code problem;
    if (fs::is_directory(folder, problem)) {
        for (fs::directory_iterator entry{folder, problem}; !problem && entry != fs::directory_iterator{};
             entry.increment(problem)) {
            const std::string name = entry->path().filename().string();
            if (name.ends_with(".toml") && !name.starts_with('.')) additions.push_back(entry->path());
        }
        if (problem)
            return Error{Code::invalid, "{}: the folder cannot be read: {}", folder.string(), problem.message()};
    }
    std::sort(additions.begin(), additions.end());
    additions.insert(additions.begin(), file);
    return additions;
}

std::string path_of_variable(std::string_view name) {
    std::string path;
    for (std::size_t at = 0; at < name.size(); ++at) {
        if (name.substr(at, 2) == "__") {
            path += '.';
            ++at;
        } else {
            const char letter = name[at];
            path += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
        }
    }
    return path;
}

void overlay_environment(SettingsTree& tree, const Environment& environment) {
    SettingsTree layer;
    for (const auto& [name, value] : environment) {
        if (!name.starts_with(environment_prefix)) continue;
        const Origin where{"environment variable " + name};
        set_typed(layer, path_of_variable(std::string_view{name}.substr(environment_prefix.size())), value, where);
    }
    tree.overlay(layer);
}

void overlay_set(SettingsTree& tree, const std::string& set) {
    const auto equals = set.find('=');
    const std::string path = set.substr(0, equals);
    const auto may_stand = [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= '0' && letter <= '9') || letter == '_' || letter == '-' || letter == '.' || letter == '[' ||
               letter == ']';
    };
    if (equals == std::string::npos || path.empty() || !std::all_of(path.begin(), path.end(), may_stand)) {
        std::string shown;
        append_printable(shown, utf8_prefix(set, 60), "\"\\");  // not checked to be UTF-8 yet
        tree.add_problem(
            {"--set"},
            fmt::format("\"{}\" is not of the form key=value, like gateway.tcp.address=127.0.0.1:7001", shown));
        return;
    }
    SettingsTree layer;
    set_typed(layer, path, set.substr(equals + 1), {"--set"});
    tree.overlay(layer);
}

}  // namespace

Environment environment_of(const char* const* variables) {
    Environment environment;
    for (; *variables != nullptr; ++variables) {
        const std::string_view variable = *variables;
        const auto equals = variable.find('=');
        if (equals == std::string_view::npos) continue;
        environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
    }
    return environment;
}

Result<SettingsTree> load_config(const ConfigSources& sources) {
    SettingsTree tree;
    if (sources.file) {
        Result<std::vector<fs::path>> files = files_of(*sources.file);
        if (!files) return files.error();
        for (const fs::path& file : *files) {
            const Result<void> read = overlay_file(tree, file, sources.environment);
            if (!read) return read.error();
        }
    }
    overlay_environment(tree, sources.environment);
    for (const std::string& set : sources.sets) overlay_set(tree, set);
    return tree;
}

}  // namespace gs::app
