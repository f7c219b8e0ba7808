#include "runtime/memory_meter.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

namespace gs::runtime {

namespace {

/// The number in a file that holds nothing else. Nothing: there is no such file, or it says "max".
std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
    std::ifstream stream{file};
    std::uint64_t number = 0;
    if (stream >> number) return number;
    return std::nullopt;
}

/// The number behind a word at the beginning of a line.
std::optional<std::uint64_t> number_after(const std::filesystem::path& file, const std::string& word) {
    std::ifstream stream{file};
    for (std::string line; std::getline(stream, line);) {
        if (!line.starts_with(word + " ") && !line.starts_with(word + ":")) continue;
        return std::strtoull(line.c_str() + word.size() + 1, nullptr, 10);
    }
    return std::nullopt;
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from - std::min(from, what); }

}  // namespace

std::uint32_t MemoryUse::percent() const {
    if (limit == 0) return 0;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(100, used / std::max<std::uint64_t>(1, limit / 100)));
}

std::string MemoryUse::text() const {
    constexpr std::uint64_t mib = 1024 * 1024;
    return fmt::format("memory: {} of {} MiB are used ({} percent), the limit of {}", used / mib, limit / mib,
                       percent(), of);
}

MemoryMeter::MemoryMeter(std::uint64_t own_max, const std::filesystem::path& root)
    : own_max_{own_max}, machine_{root / "proc/meminfo"}, process_{root / "proc/self/statm"} {
    find_groups(root);
}

void MemoryMeter::find_groups(const std::filesystem::path& root) {
    std::ifstream stream{root / "proc/self/cgroup"};
    for (std::string line; std::getline(stream, line);) {  // "0::/path", or "4:memory:/path" of version 1
        const auto colon = line.find(':');
        const auto path_at = line.find(":/", colon);
        if (colon == std::string::npos || path_at == std::string::npos) continue;
        const auto controllers = "," + line.substr(colon + 1, path_at - colon - 1) + ",";
        const auto path = line.substr(path_at + 2);
        if (controllers == ",,") add_groups(root / "sys/fs/cgroup", path, true);
        if (controllers.find(",memory,") != std::string::npos) add_groups(root / "sys/fs/cgroup/memory", path, false);
    }
}

/// Its own and those around it, whose limits count too. In a container the path may be one that only the host knows; then
/// what is mounted is the container's.
void MemoryMeter::add_groups(const std::filesystem::path& mount, const std::string& path, bool is_v2) {
    auto below = path;
    for (;;) {
        const auto directory = below.empty() ? mount : mount / below;
        const auto name = "control group /" + below;
        if (is_v2) {
            groups_.push_back({{directory / "memory.max", directory / "memory.high"},
                               directory / "memory.current",
                               directory / "memory.stat",
                               "",
                               name});
        } else {
            groups_.push_back({{directory / "memory.limit_in_bytes"},
                               directory / "memory.usage_in_bytes",
                               directory / "memory.stat",
                               "total_",
                               name});
        }
        std::error_code failed;
        if (!std::filesystem::exists(groups_.back().used, failed)) groups_.pop_back();
        if (below.empty()) return;
        const auto slash = below.rfind('/');
        below.resize(slash == std::string::npos ? 0 : slash);
    }
}

MemoryUse MemoryMeter::of_machine() const {
    constexpr std::uint64_t kib = 1024;
    const auto all = number_after(machine_, "MemTotal");
    const auto left = number_after(machine_, "MemAvailable");
    if (!all || !left) return {};
    return {less(*all, *left) * kib, *all * kib, "this machine, for all of its processes"};
}

MemoryUse MemoryMeter::of_process() const {
    if (own_max_ == 0) return {};
    std::ifstream stream{process_};
    std::uint64_t mapped = 0, resident = 0;
    if (!(stream >> mapped >> resident)) return {};
    return {resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)), own_max_, "this process"};
}

MemoryUse MemoryMeter::of_group(const Group& group, const MemoryUse& nearest) {
    constexpr std::uint64_t none = 1ULL << 60U;  // as version 1 says it
    auto limit = none;
    for (const auto& file : group.limits) limit = std::min(limit, number_in(file).value_or(none));
    const auto used = limit == none ? std::nullopt : number_in(group.used);
    if (!used) return {};
    MemoryUse use{*used, limit, group.name};
    if (use.percent() <= nearest.percent()) return {};
    for (const auto* files : {"inactive_file", "active_file"})
        use.used = less(use.used, number_after(group.details, group.prefix + files).value_or(0));
    return use;
}

MemoryUse MemoryMeter::use() const {
    auto nearest = of_machine();
    const auto consider = [&nearest](MemoryUse other) {
        if (other.percent() > nearest.percent() || nearest.limit == 0) nearest = std::move(other);
    };
    consider(of_process());
    for (const auto& group : groups_) consider(of_group(group, nearest));
    return nearest;
}

bool give_back_free_memory() { return ::malloc_trim(0) == 1; }

}  // namespace gs::runtime
