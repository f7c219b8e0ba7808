#include "base/settings.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gs {

namespace {

using Type = Declaration::Type;

constexpr std::size_t text_bytes_max = 4096;
constexpr std::size_t shown_bytes_max = 60;
constexpr std::size_t problems_max = 100;

/// node[3].name is declared as node[].name
std::string pattern_of(std::string_view path) {
    std::string pattern;
    bool in_index = false;
    for (const char letter : path) {
        if (letter == ']') in_index = false;
        if (!in_index) pattern += letter;
        if (letter == '[') in_index = true;
    }
    return pattern;
}

std::string_view parent_of(std::string_view path) {
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

std::string_view name_of(std::string_view path) {
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

bool is_inside(std::string_view path, std::string_view section) {
    if (section.empty()) return true;
    return path.size() > section.size() && path.substr(0, section.size()) == section &&
           (path[section.size()] == '.' || path[section.size()] == '[');
}

/// Cuts long text between characters, never inside one.
std::string shortened(std::string_view text) {
    if (text.size() <= shown_bytes_max) return quoted(text);
    std::size_t end = shown_bytes_max;
    while (end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xc0U) == 0x80) --end;
    return fmt::format("{}... ({} bytes)", quoted(text.substr(0, end)), text.size());
}

std::string toml_number(double value) {
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".en") == std::string::npos) text += ".0";
    return text;
}

std::string toml_list(const std::vector<std::string>& texts) {
    std::vector<std::string> all;
    for (const std::string& text : texts) all.push_back(gs::quoted(text));
    return fmt::format("[{}]", fmt::join(all, ", "));
}

std::string shown(const SettingValue& setting) {
    if (const auto* flag = std::get_if<bool>(&setting.value)) return *flag ? "true" : "false";
    if (const auto* integer = std::get_if<std::int64_t>(&setting.value)) return fmt::format("{}", *integer);
    if (const auto* number = std::get_if<double>(&setting.value)) return toml_number(*number);
    if (const auto* text = std::get_if<std::string>(&setting.value)) return shortened(*text);
    if (std::holds_alternative<SettingList>(setting.value)) return "a list";
    if (std::holds_alternative<SettingRows>(setting.value)) return "a list of sections";
    return "a section";
}

std::string wanted(const Declaration& declaration) {
    std::string sentence;
    switch (declaration.type) {
        case Type::integer:
        case Type::number:
        case Type::choice:
            sentence = declaration.allowed;
            break;
        case Type::flag:
            return "true or false";
        case Type::text:
            return fmt::format("text in quotes, of at most {} bytes", text_bytes_max);
        case Type::texts:
            return R"(a list of texts, like ["a", "b"])";
        case Type::secret_file:
            return "the path of a file, in quotes (what was written is not shown: it may be secret)";
        case Type::tables:
            return fmt::format("a list of sections, each begun with [[{}]]", declaration.path);
    }
    if (!declaration.unit.empty()) sentence += " " + declaration.unit;
    return sentence;
}

/// A whole number where digits are missing or wrong reads better with the type in front of the range.
std::string wanted_instead_of(const Declaration& declaration, const SettingValue& value) {
    const bool is_integer = std::holds_alternative<std::int64_t>(value.value);
    const bool is_number = is_integer || std::holds_alternative<double>(value.value);
    if (declaration.type == Type::integer && !is_integer) return "a whole number, " + wanted(declaration);
    if (declaration.type == Type::number && !is_number) return "a number, " + wanted(declaration);
    return wanted(declaration);
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < right.size(); ++j) {
            const std::size_t replaced = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string quoted(std::string_view text) {
    std::string all = "\"";
    for (const char letter : text) {
        const auto byte = static_cast<std::uint8_t>(letter);
        if (letter == '"' || letter == '\\') {
            all += '\\';
            all += letter;
        } else if (letter == '\n') {
            all += "\\n";
        } else if (letter == '\t') {
            all += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            all += fmt::format("\\u{:04X}", byte);
        } else {
            all += letter;
        }
    }
    return all + "\"";
}

bool Declared::add(const Declaration& declaration) {
    const auto [position, added] = by_path_.try_emplace(declaration.path, all_.size());
    if (!added) return all_[position->second] == declaration;
    all_.push_back(declaration);
    return true;
}

const Declaration* Declared::find(std::string_view path) const {
    const auto position = by_path_.find(path);
    return position == by_path_.end() ? nullptr : &all_[position->second];
}

bool Declared::has_section(std::string_view path) const {
    return std::any_of(all_.begin(), all_.end(),
                       [path](const Declaration& known) { return is_inside(known.path, path); });
}

std::string Settings::path_of(std::string_view key) const {
    return path_.empty() ? std::string{key} : fmt::format("{}.{}", path_, key);
}

Settings Settings::section(std::string_view name) const { return Settings{*tree_, path_of(name)}; }

std::int64_t Settings::integer(std::string_view key, std::int64_t fallback, Range range, std::string_view unit,
                               std::string_view meaning) const {
    const std::string path = path_of(key);
    const Declaration declaration{pattern_of(path),
                                  Type::integer,
                                  fmt::format("{}", fallback),
                                  fmt::format("{} to {}", range.least, range.most),
                                  std::string{unit},
                                  std::string{meaning}};
    const SettingValue* setting = tree_->read(declaration, path);
    if (setting == nullptr) return fallback;
    const auto* integer = std::get_if<std::int64_t>(&setting->value);
    if (integer != nullptr && *integer >= range.least && *integer <= range.most) return *integer;
    tree_->add_wrong_value(declaration, path, *setting);
    return fallback;
}

double Settings::number(std::string_view key, double fallback, NumberRange range, std::string_view unit,
                        std::string_view meaning) const {
    const std::string path = path_of(key);
    const Declaration declaration{pattern_of(path),      Type::number,
                                  toml_number(fallback), fmt::format("{} to {}", range.least, range.most),
                                  std::string{unit},     std::string{meaning}};
    const SettingValue* setting = tree_->read(declaration, path);
    if (setting == nullptr) return fallback;
    double number = std::nan("");
    if (const auto* real = std::get_if<double>(&setting->value)) number = *real;
    if (const auto* integer = std::get_if<std::int64_t>(&setting->value)) number = static_cast<double>(*integer);
    if (std::isfinite(number) && number >= range.least && number <= range.most) return number;
    tree_->add_wrong_value(declaration, path, *setting);
    return fallback;
}

bool Settings::flag(std::string_view key, bool fallback, std::string_view meaning) const {
    const std::string path = path_of(key);
    const Declaration declaration{pattern_of(path),    Type::flag, fallback ? "true" : "false", {}, {},
                                  std::string{meaning}};
    const SettingValue* setting = tree_->read(declaration, path);
    if (setting == nullptr) return fallback;
    if (const auto* flag = std::get_if<bool>(&setting->value)) return *flag;
    tree_->add_wrong_value(declaration, path, *setting);
    return fallback;
}

std::optional<std::string> Settings::read_text(const Declaration& declaration, const std::string& path) const {
    const SettingValue* setting = tree_->read(declaration, path);
    if (setting == nullptr) return std::nullopt;
    const auto* text = std::get_if<std::string>(&setting->value);
    if (text == nullptr && setting->typed) text = &*setting->typed;
    if (text != nullptr && text->size() <= text_bytes_max) return *text;
    tree_->add_wrong_value(declaration, path, *setting);
    return std::nullopt;
}

std::string Settings::text(std::string_view key, std::string_view fallback, std::string_view meaning) const {
    const std::string path = path_of(key);
    const Declaration declaration{pattern_of(path), Type::text, quoted(fallback), {}, {}, std::string{meaning}};
    return read_text(declaration, path).value_or(std::string{fallback});
}

std::string Settings::secret_file(std::string_view key, std::string_view fallback, std::string_view meaning) const {
    const std::string path = path_of(key);
    const Declaration declaration{pattern_of(path), Type::secret_file, quoted(fallback), {}, {}, std::string{meaning}};
    return read_text(declaration, path).value_or(std::string{fallback});
}

std::string Settings::choice(std::string_view key, std::string_view fallback,
                             const std::vector<std::string_view>& choices, std::string_view meaning) const {
    const std::string path = path_of(key);
    const std::vector<std::string> names{choices.begin(), choices.end()};
    std::string allowed = toml_list(names);
    allowed = "one of " + allowed.substr(1, allowed.size() - 2);
    const Declaration declaration{pattern_of(path), Type::choice, quoted(fallback), allowed, {}, std::string{meaning}};
    const std::optional<std::string> chosen = read_text(declaration, path);
    if (!chosen) return std::string{fallback};
    if (std::find(names.begin(), names.end(), *chosen) != names.end()) return *chosen;
    tree_->add_wrong_value(declaration, path, tree_->values_.find(path)->second);
    return std::string{fallback};
}

std::vector<std::string> Settings::texts(std::string_view key, const std::vector<std::string>& fallback,
                                         std::string_view meaning) const {
    const std::string path = path_of(key);
    const Declaration declaration{pattern_of(path), Type::texts, toml_list(fallback), {}, {}, std::string{meaning}};
    const SettingValue* setting = tree_->read(declaration, path);
    if (setting == nullptr) return fallback;
    const auto* list = std::get_if<SettingList>(&setting->value);
    const auto is_text = [](const SettingScalar& scalar) {
        const auto* text = std::get_if<std::string>(&scalar);
        return text != nullptr && text->size() <= text_bytes_max;
    };
    if (list == nullptr || !std::all_of(list->begin(), list->end(), is_text)) {
        tree_->add_wrong_value(declaration, path, *setting);
        return fallback;
    }
    std::vector<std::string> texts;
    for (const SettingScalar& scalar : *list) texts.push_back(std::get<std::string>(scalar));
    return texts;
}

std::vector<Settings> Settings::tables(std::string_view name, std::string_view meaning) const {
    const std::string path = path_of(name);
    const Declaration declaration{pattern_of(path), Type::tables, "[]", {}, {}, std::string{meaning}};
    const SettingValue* setting = tree_->read(declaration, path);
    std::vector<Settings> rows;
    if (setting == nullptr) return rows;
    const auto* list = std::get_if<SettingList>(&setting->value);
    if (list != nullptr && list->empty()) return rows;
    const auto* written = std::get_if<SettingRows>(&setting->value);
    if (written == nullptr) {
        tree_->add_wrong_value(declaration, path, *setting);
        return rows;
    }
    for (std::size_t index = 0; index < written->count; ++index) {
        rows.push_back(Settings{*tree_, fmt::format("{}[{}]", path, index)});
    }
    return rows;
}

void Settings::reject(std::string_view key, std::string_view why) const {
    const std::string path = path_of(key);
    const auto setting = tree_->values_.find(path);
    const Origin where = setting == tree_->values_.end() ? Origin{} : setting->second.value_at;
    tree_->add_problem(where, fmt::format("{} {}", path, why));
}

void SettingsTree::set(std::string path, SettingValue value) {
    values_.insert_or_assign(std::move(path), std::move(value));
}

void SettingsTree::erase_below(const std::string& path) {
    for (const char next : {'.', '['}) {
        const std::string prefix = path + next;
        auto position = values_.lower_bound(prefix);
        while (position != values_.end() && position->first.starts_with(prefix)) position = values_.erase(position);
    }
}

bool SettingsTree::has_below(const std::string& path) const {
    const auto position = values_.lower_bound(path + '.');
    return position != values_.end() && is_inside(position->first, path);
}

void SettingsTree::overlay(const SettingsTree& upper) {
    const auto is_section = [](const SettingValue& setting) {
        return std::holds_alternative<SettingSection>(setting.value);
    };
    for (const auto& [path, setting] : upper.values_) {
        if (!is_section(setting)) erase_below(path);
    }
    for (const auto& [path, setting] : upper.values_) {
        const auto lower = values_.find(path);
        if (lower != values_.end() && is_section(setting) && is_section(lower->second)) continue;
        set(path, setting);
    }
    problems_.insert(problems_.end(), upper.problems_.begin(), upper.problems_.end());
}

void SettingsTree::add_problem(Origin where, std::string what) {
    const auto same = [&](const Problem& known) {
        return known.what == what && known.where.source == where.source && known.where.line == where.line;
    };
    // Two instances of a role read the same keys; one report is enough.
    if (std::none_of(problems_.begin(), problems_.end(), same))
        problems_.push_back({std::move(where), std::move(what)});
}

const SettingValue* SettingsTree::read(const Declaration& declaration, std::string_view path) {
    if (!declared_.add(declaration)) {
        add_problem({}, fmt::format("{} is read twice in the program, with a different type, default, range or meaning",
                                    declaration.path));
    }
    const auto setting = values_.find(path);
    if (setting == values_.end() || std::holds_alternative<SettingUnusable>(setting->second.value)) return nullptr;
    return &setting->second;
}

void SettingsTree::add_wrong_value(const Declaration& declaration, std::string_view path, const SettingValue& value) {
    const std::string found = declaration.type == Type::secret_file ? "not usable" : shown(value);
    add_problem(value.value_at,
                fmt::format("{} is {}; it must be {}", path, found, wanted_instead_of(declaration, value)));
}

std::string SettingsTree::hint(const std::string& pattern) const {
    const Declaration* nearest = nullptr;
    std::size_t nearest_distance = std::max<std::size_t>(2, pattern.size() / 4) + 1;
    for (const Declaration& known : declared_.all()) {
        const bool same_name = name_of(pattern) == name_of(known.path);
        const auto [shorter, longer] = std::minmax({pattern.size(), known.path.size()});
        if (!same_name && longer - shorter >= nearest_distance) continue;
        std::size_t distance = edit_distance(pattern, known.path);
        // The right name in the wrong section is a common slip, however far the sections are apart.
        if (same_name) distance = std::min<std::size_t>(distance, 2);
        if (distance < nearest_distance) {
            nearest = &known;
            nearest_distance = distance;
        }
    }
    if (nearest != nullptr) return fmt::format("did you mean {}?", nearest->path);
    std::string_view section = parent_of(pattern);
    while (!section.empty() && !declared_.has_section(section)) section = parent_of(section);
    return keys_of(section);
}

std::string SettingsTree::keys_of(std::string_view section) const {
    std::vector<std::string> names;
    for (const Declaration& known : declared_.all()) {
        if (!is_inside(known.path, section)) continue;
        const std::string_view rest = std::string_view{known.path}.substr(section.empty() ? 0 : section.size() + 1);
        std::string name{rest.substr(0, rest.find_first_of(".["))};
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
    if (names.empty()) return "no keys are known";
    return fmt::format("{} has {}", section.empty() ? "the top level" : section, fmt::join(names, ", "));
}

std::optional<std::string> SettingsTree::bad_row(const std::string& path) const {
    for (auto open = path.find('['); open != std::string::npos; open = path.find('[', open + 1)) {
        const std::string rows_path = path.substr(0, open);
        const auto rows = values_.find(rows_path);
        const auto* written = rows == values_.end() ? nullptr : std::get_if<SettingRows>(&rows->second.value);
        const std::size_t count = written == nullptr ? 0 : written->count;
        std::size_t row = count;
        std::from_chars(path.data() + open + 1, path.data() + path.size(), row);
        const bool exists = row < count && std::string_view{path}.substr(open).starts_with(fmt::format("[{}]", row));
        if (!exists) return fmt::format("{} names a row that does not exist; {} has {}", path, rows_path, count);
    }
    return std::nullopt;
}

std::optional<std::string> SettingsTree::unknown(const std::string& path, const SettingValue& value) const {
    const std::string pattern = pattern_of(path);
    // What lies below a wrong value, or in rows that are themselves unknown, was reported with what it is below.
    for (std::string_view above = parent_of(pattern); !above.empty(); above = parent_of(above)) {
        if (declared_.find(above) != nullptr) return std::nullopt;
    }
    const std::string rows_path = path.substr(0, path.find('['));
    if (rows_path != path && values_.contains(rows_path) && declared_.find(rows_path) == nullptr) return std::nullopt;
    if (std::optional<std::string> problem = bad_row(path)) return problem;
    if (declared_.find(pattern) != nullptr) return std::nullopt;
    const bool known_section = declared_.has_section(pattern);
    if (std::holds_alternative<SettingSection>(value.value)) {
        if (known_section || path.ends_with(']') || has_below(path)) return std::nullopt;
        return fmt::format("{} is not a known section; {}", path, hint(pattern));
    }
    if (known_section) return fmt::format("{} is {}; it must be a section: {}", path, shown(value), keys_of(pattern));
    return fmt::format("{} is not a known key; {}", path, hint(pattern));
}

std::vector<std::string> SettingsTree::problems() const {
    std::vector<Problem> all = problems_;
    std::size_t left_out = 0;
    for (const auto& [path, setting] : values_) {
        if (all.size() >= problems_max) {
            ++left_out;
        } else if (std::optional<std::string> what = unknown(path, setting)) {
            all.push_back({setting.key_at, *std::move(what)});
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Problem& left, const Problem& right) {
        return std::tie(left.where.source, left.where.line, left.where.column) <
               std::tie(right.where.source, right.where.line, right.where.column);
    });
    std::vector<std::string> sentences;
    for (const auto& [where, what] : all) {
        if (where.source.empty()) {
            sentences.push_back(what);
        } else if (where.line == 0) {
            sentences.push_back(fmt::format("{}: {}", where.source, what));
        } else {
            sentences.push_back(fmt::format("{}:{}:{}: {}", where.source, where.line, where.column, what));
        }
    }
    if (left_out > 0) sentences.push_back(fmt::format("{} further settings were not looked at", left_out));
    return sentences;
}

Result<void> SettingsTree::finish() const {
    const std::vector<std::string> all = problems();
    if (all.empty()) return {};
    return Error::verbatim(Code::invalid, fmt::format("{}", fmt::join(all, "\n")));
}

}  // namespace gs
