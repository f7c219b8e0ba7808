#pragma once
// A directory of a test's own, removed with it.
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace gs::storage {

class ScratchDirectory {
public:
    ScratchDirectory() {
        auto pattern = (std::filesystem::temp_directory_path() / "gameserver-storage-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"cannot make a directory for the test"};
        path_ = pattern;
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace gs::storage
