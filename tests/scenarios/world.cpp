#include "tests/scenarios/world.hpp"

#include "app/run.hpp"
#include "base/crypto/crypto.hpp"

namespace gs::scenarios {

namespace {

class KeyDirectory {
public:
    KeyDirectory() {
        crypto_init().value();
        path_ = std::filesystem::temp_directory_path() / fmt::format("gameserver-test-keys-{:x}", random_u64());
        app::create_keys(path_).value();
    }
    KeyDirectory(const KeyDirectory&) = delete;
    KeyDirectory& operator=(const KeyDirectory&) = delete;
    ~KeyDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace

const std::filesystem::path& key_directory() {
    static const KeyDirectory directory;
    return directory.path();
}

const SigningKey& token_key() {
    static const auto key = load_private_key(key_directory() / "token.key").value();
    return key;
}

void set_setting(SettingsTree& tree, const std::string& path, SettingScalar value) {
    SettingValue setting;
    std::visit([&](auto&& given) { setting.value = std::forward<decltype(given)>(given); }, std::move(value));
    tree.set(path, std::move(setting));
}

void set_setting(SettingsTree& tree, const std::string& path, SettingList values) {
    SettingValue setting;
    setting.value = std::move(values);
    tree.set(path, std::move(setting));
}

void set_setting_rows(SettingsTree& tree, const std::string& path, std::size_t count) {
    SettingValue setting;
    setting.value = SettingRows{count};
    tree.set(path, std::move(setting));
}

double read_metric(const Metrics& metrics, const std::string& series) {
    return read_metric(metrics.to_prometheus_text(), series);
}

double read_metric(const std::string& text, const std::string& series) {
    const auto line = "\n" + series + " ";
    const auto place = text.find(line);
    if (place == std::string::npos) return 0;
    return std::stod(text.substr(place + line.size()));
}

}  // namespace gs::scenarios
