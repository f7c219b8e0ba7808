#pragma once
// How much memory is left: of the machine, of the control groups that this process is in (containers, MemoryMax of
// systemd), and of a limit of its own. What can be had back at once, such as cached files, counts as left.
// Loop: any, one at a time; reads small files. Source: proc_meminfo(5), cgroup v1 and v2 of the kernel's documentation.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace gs::runtime {

struct MemoryUse {
    std::uint64_t used = 0, limit = 0;  ///< bytes; limit 0: nothing is known
    std::string of{};                   ///< whose limit it is, for a log line

    [[nodiscard]] std::uint32_t percent() const;
    /// "memory: 410 of 512 MiB are used (80 percent), the limit of ..."
    [[nodiscard]] std::string text() const;
};

class MemoryMeter {
public:
    /// `own_max`: bytes that this process may have in memory; 0: no limit. `root`: of the file system, for tests.
    explicit MemoryMeter(std::uint64_t own_max = 0, const std::filesystem::path& root = "/");
    /// Of the limit of which the greatest share is used.
    [[nodiscard]] MemoryUse use() const;

private:
    struct Group {
        std::vector<std::filesystem::path> limits;  // the least counts
        std::filesystem::path used, details;
        std::string prefix;  // of what is in details
        std::string name;
    };
    void find_groups(const std::filesystem::path& root);
    void add_groups(const std::filesystem::path& mount, const std::string& path, bool is_v2);
    [[nodiscard]] MemoryUse of_machine() const;
    [[nodiscard]] MemoryUse of_process() const;
    /// Nothing when it is not nearer than `nearest`, which is less work.
    [[nodiscard]] static MemoryUse of_group(const Group& group, const MemoryUse& nearest);

    std::uint64_t own_max_;
    std::filesystem::path machine_, process_;
    std::vector<Group> groups_;
};

/// Gives memory that was freed, and that the allocator keeps, back to the system; whether there was any. Takes
/// milliseconds, and whoever allocates meanwhile may wait for it. Loop: any.
bool give_back_free_memory();

}  // namespace gs::runtime
