#include "runtime/memory_meter.hpp"

#include <catch2/catch.hpp>

#include <fstream>

#include "storage/scratch_directory.hpp"

using namespace gs;

namespace {

constexpr std::uint64_t mib = 1024 * 1024;

/// The files of a system that the meter reads.
class System {
public:
    System() {
        write("proc/meminfo", "MemTotal:  1048576 kB\nMemFree:  1000 kB\nMemAvailable:  786432 kB\n");
        write("proc/self/cgroup", "");
    }
    void write(const std::string& name, const std::string& text) const {
        const auto file = directory_.path() / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream{file} << text;
    }
    /// A group of version 2.
    void write_group(const std::string& path, const std::string& limit, std::uint64_t used,
                     std::uint64_t cached) const {
        const auto group = "sys/fs/cgroup/" + path;
        write(group + "/memory.max", limit + "\n");
        write(group + "/memory.current", std::to_string(used) + "\n");
        write(group + "/memory.stat", "anon 5\ninactive_file " + std::to_string(cached / 4) + "\nactive_file " +
                                          std::to_string(cached / 4 * 3) + "\nslab 7\n");
    }
    [[nodiscard]] runtime::MemoryUse use(std::uint64_t own_max = 0) const {
        return runtime::MemoryMeter{own_max, directory_.path()}.use();
    }

private:
    storage::ScratchDirectory directory_;
};

}  // namespace

TEST_CASE("memory of the machine is used when it is not available any more", "[OPS-02]") {
    const System system;
    const auto use = system.use();
    CHECK(use.of == "this machine, for all of its processes");
    CHECK(use.limit == 1024 * mib);
    CHECK(use.used == 256 * mib);
    CHECK(use.percent() == 25);
}

TEST_CASE("the limit that is nearest counts, of all groups around a process", "[OPS-02]") {
    const System system;
    system.write("proc/self/cgroup", "0::/games.slice/gameserver.service\n");
    system.write_group("games.slice", std::to_string(400 * mib), 300 * mib, 100 * mib);
    system.write_group("games.slice/gameserver.service", "max", 290 * mib, 0);
    auto use = system.use();
    CHECK(use.of == "control group /games.slice");
    CHECK(use.used == 200 * mib);  // cached files can be had back
    CHECK(use.percent() == 50);

    system.write_group("games.slice/gameserver.service", std::to_string(300 * mib), 290 * mib, 20 * mib);
    use = system.use();
    CHECK(use.of == "control group /games.slice/gameserver.service");
    CHECK(use.percent() == 90);
    CHECK(use.text() ==
          "memory: 270 of 300 MiB are used (90 percent), the limit of control group /games.slice/gameserver.service");

    system.write("sys/fs/cgroup/games.slice/memory.high", std::to_string(210 * mib) + "\n");
    use = system.use();
    CHECK(use.of == "control group /games.slice");  // slowed down from there on
    CHECK(use.percent() == 95);
}

TEST_CASE("control groups of version 1, and those of a container that sees its own only", "[OPS-02]") {
    const System system;
    system.write("proc/self/cgroup", "5:cpu:/\n4:memory:/docker/0123abcd\n0::/\n");
    system.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
    system.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "9223372036854770000");
    CHECK(system.use().of == "this machine, for all of its processes");
    system.write("sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(512 * mib));
    system.write("sys/fs/cgroup/memory/memory.usage_in_bytes", std::to_string(500 * mib));
    system.write("sys/fs/cgroup/memory/memory.stat", "cache 1\ntotal_inactive_file " + std::to_string(116 * mib));
    const auto use = system.use();
    CHECK(use.of == "control group /");
    CHECK(use.percent() == 75);
}

TEST_CASE("more than the limit is all of it, and without files nothing is known", "[OPS-02]") {
    const System system;
    system.write("proc/self/cgroup", "0::/\n");
    system.write_group("", std::to_string(10 * mib), 11 * mib, 0);
    CHECK(system.use().percent() == 100);
    const storage::ScratchDirectory nothing;
    CHECK(runtime::MemoryMeter{0, nothing.path()}.use().percent() == 0);
}

TEST_CASE("a process may have a limit of its own", "[OPS-02]") {
    const auto real = runtime::MemoryMeter{mib}.use();  // any process has more
    CHECK(real.of == "this process");
    CHECK(real.limit == mib);
    CHECK(real.used > mib);
    CHECK(real.percent() == 100);
}
