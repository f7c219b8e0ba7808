#pragma once
// Settings: how a role or module declares and reads a configuration key in one line. Where values come from is
// src/app/config. Owner: a Settings is a view on a SettingsTree, which must stay in place while views exist. Loop: read
// at start or reload, by one thread; keep the values, not the view. Errors: a bad value is recorded and the fallback
// returned, so that SettingsTree::finish() names every mistake at once.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace gs {

struct Range {
    std::int64_t least;
    std::int64_t most;
};

struct NumberRange {
    double least;
    double most;
};

/// Where a value was written. Lines and columns count from 1; 0 where the source has none.
struct Origin {
    std::string source;  ///< a file's name, "environment variable GAMESERVER_X" or "--set"; empty for a default
    std::size_t line = 0;
    std::size_t column = 0;
};

struct SettingSection {};  ///< [gateway.tcp]
struct SettingRows {       ///< [[node]]: its keys are stored under node[0], node[1] ...
    std::size_t count = 0;
};
struct SettingUnusable {};  ///< already reported while loading; readers take the fallback

using SettingScalar = std::variant<bool, std::int64_t, double, std::string>;
using SettingList = std::vector<SettingScalar>;

struct SettingValue {
    std::variant<bool, std::int64_t, double, std::string, SettingList, SettingSection, SettingRows, SettingUnusable>
        value;
    Origin key_at;
    Origin value_at;
    /// The characters as typed, where the source has no quotes (environment, --set, ${NAME}): a text key takes these.
    std::optional<std::string> typed = std::nullopt;
};

/// What the program knows about one key; the source of the documented configuration.
struct Declaration {
    enum class Type { integer, number, flag, text, choice, texts, secret_file, tables };

    std::string path;  ///< gateway.tcp.port, or node[].name for a key of every [[node]]
    Type type = Type::text;
    std::string fallback;  ///< as TOML writes it
    std::string allowed;   ///< "0 to 65535", "one of \"a\", \"b\""; empty when anything of the type will do
    std::string unit;
    std::string meaning;

    bool operator==(const Declaration&) const = default;
};

/// Every key that was read, in the order of the first reading.
class Declared {
public:
    /// False when the path is known with another type, default, range, unit or meaning.
    bool add(const Declaration& declaration);
    [[nodiscard]] const Declaration* find(std::string_view path) const;
    [[nodiscard]] bool has_section(std::string_view path) const;
    [[nodiscard]] const std::vector<Declaration>& all() const { return all_; }

private:
    std::vector<Declaration> all_;
    std::map<std::string, std::size_t, std::less<>> by_path_;
};

class SettingsTree;

class Settings {
public:
    /// `key` may be dotted: "tcp.port".
    [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback, Range range, std::string_view unit,
                                       std::string_view meaning) const;
    [[nodiscard]] double number(std::string_view key, double fallback, NumberRange range, std::string_view unit,
                                std::string_view meaning) const;
    [[nodiscard]] bool flag(std::string_view key, bool fallback, std::string_view meaning) const;
    [[nodiscard]] std::string text(std::string_view key, std::string_view fallback, std::string_view meaning) const;
    [[nodiscard]] std::string choice(std::string_view key, std::string_view fallback,
                                     const std::vector<std::string_view>& choices, std::string_view meaning) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view key, const std::vector<std::string>& fallback,
                                                 std::string_view meaning) const;
    /// The path of a file that holds a secret. Messages never show what was written here.
    [[nodiscard]] std::string secret_file(std::string_view key, std::string_view fallback,
                                          std::string_view meaning) const;

    [[nodiscard]] Settings section(std::string_view name) const;
    /// The rows of [[name]]. Their keys are declared only when there is a row; prefer the form below.
    [[nodiscard]] std::vector<Settings> tables(std::string_view name, std::string_view meaning) const;
    /// read(Settings) of each row. It also runs once on a blank row, so that the keys are known when no row is written.
    template <class Read>
    [[nodiscard]] auto tables(std::string_view name, std::string_view meaning, Read read) const {
        const std::vector<Settings> written = tables(name, meaning);
        static_cast<void>(read(section(std::string{name} + "[]")));
        std::vector<decltype(read(*this))> rows;
        for (const Settings& row : written) rows.push_back(read(row));
        return rows;
    }

    /// For checks that a range cannot express: records "<where>: <path> <why>", e.g. why = "must not equal tcp.port".
    void reject(std::string_view key, std::string_view why) const;
    [[nodiscard]] std::string path() const { return path_; }

private:
    friend class SettingsTree;
    Settings(SettingsTree& tree, std::string path) : tree_{&tree}, path_{std::move(path)} {}
    [[nodiscard]] std::string path_of(std::string_view key) const;
    [[nodiscard]] std::optional<std::string> read_text(const Declaration& declaration, const std::string& path) const;

    SettingsTree* tree_;
    std::string path_;
};

/// The values of all layers by path, what was declared, and every mistake found so far.
class SettingsTree {
public:
    [[nodiscard]] Settings root() { return Settings{*this, {}}; }

    void set(std::string path, SettingValue value);
    /// `upper` wins key by key; a list or a [[table]] of `upper` replaces the whole of the lower one.
    void overlay(const SettingsTree& upper);
    void add_problem(Origin where, std::string what);

    /// The mistakes in the order of the source, a sentence each: wrong types, values out of range, unknown keys.
    /// Call it after every reader ran. Past a hundred the rest is only counted.
    [[nodiscard]] std::vector<std::string> problems() const;
    /// The same as one Error{Code::invalid}, one line for each.
    [[nodiscard]] Result<void> finish() const;

    [[nodiscard]] const std::map<std::string, SettingValue, std::less<>>& values() const { return values_; }
    [[nodiscard]] std::map<std::string, SettingValue, std::less<>>& values() { return values_; }
    [[nodiscard]] const Declared& declared() const { return declared_; }

private:
    friend class Settings;
    struct Problem {
        Origin where;
        std::string what;
    };

    const SettingValue* read(const Declaration& declaration, std::string_view path);
    void add_wrong_value(const Declaration& declaration, std::string_view path, const SettingValue& value);
    void erase_below(const std::string& path);
    [[nodiscard]] bool has_below(const std::string& path) const;
    [[nodiscard]] std::optional<std::string> bad_row(const std::string& path) const;
    [[nodiscard]] std::optional<std::string> unknown(const std::string& path, const SettingValue& value) const;
    [[nodiscard]] std::string hint(const std::string& pattern) const;
    [[nodiscard]] std::string keys_of(std::string_view section) const;

    std::map<std::string, SettingValue, std::less<>> values_;
    Declared declared_;
    std::vector<Problem> problems_;
};

/// As TOML writes it, with every control character escaped.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace gs
