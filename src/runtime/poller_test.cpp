#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "runtime/poller.hpp"

using namespace gs::runtime;
using namespace std::chrono_literals;

namespace {

constexpr auto no_time = 0ns;  // so that exactly one is served

/// A file that can be made ready; it writes its name down when it is called.
class File final : public Pollable {
public:
    File(Poller& poller, int name, std::vector<int>& called, bool background)
        : poller_{poller}, name_{name}, called_{called}, file_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
        poller_.add(file_, {std::shared_ptr<void>{}, static_cast<Pollable*>(this)}, true, false, background);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        remove();
        ::close(file_);
    }

    void make_ready() const { REQUIRE(::eventfd_write(file_, 1) == 0); }
    void set_background(bool background) { poller_.move(file_, background, true, false); }
    void remove() { poller_.remove(file_); }
    void on_ready(bool readable, bool /*writable*/) override {
        CHECK(readable);
        called_.push_back(name_);
        eventfd_t value = 0;
        if (reads_) static_cast<void>(::eventfd_read(file_, &value));
    }
    /// It stays ready, as one whose other side sends on and on.
    void never_read() { reads_ = false; }

private:
    Poller& poller_;
    int name_;
    std::vector<int>& called_;
    int file_;
    bool reads_ = true;
};

struct World {
    File& add(int name, bool background) {
        return *files.emplace_back(std::make_unique<File>(poller, name, called, background));
    }
    std::vector<int> take() { return std::exchange(called, {}); }

    Poller poller;
    std::vector<int> called;
    std::vector<std::unique_ptr<File>> files;
};

}  // namespace

TEST_CASE("files in the background wait for the others and have only so much time in a turn",
          "[runtime][poller][NET-14]") {
    World world;
    constexpr int many = 40;
    for (int name = 0; name < many; ++name) world.add(name, true).make_ready();
    auto& player = world.add(100, false);
    std::vector<int> in_order;
    for (int turn = 0; turn < many; ++turn) {
        player.make_ready();
        world.poller.wait(0);
        REQUIRE(world.take() == std::vector<int>{100});
        REQUIRE(world.poller.has_background());
        world.poller.serve_background(no_time);
        REQUIRE(world.called.size() == 1);
        in_order.push_back(world.take().front());
    }
    std::vector<int> each_once(many);
    for (int name = 0; name < many; ++name) each_once[static_cast<std::size_t>(name)] = name;
    CHECK(in_order == each_once);
    world.poller.wait(0);
    world.poller.serve_background(1h);
    CHECK_FALSE(world.poller.has_background());
    CHECK(world.take().empty());
}

TEST_CASE("of those in the background who are always ready each has its turn", "[runtime][poller][NET-14]") {
    World world;
    constexpr int many = 33;
    for (int name = 0; name < many; ++name) {
        auto& file = world.add(name, true);
        file.never_read();
        file.make_ready();
    }
    std::vector<int> times(many);
    for (int turn = 0; turn < 10 * many; ++turn) {
        world.poller.wait(0);
        world.poller.serve_background(no_time);
        for (const auto name : world.take()) ++times[static_cast<std::size_t>(name)];
    }
    const auto [fewest, most] = std::minmax_element(times.begin(), times.end());
    CHECK(*fewest >= 9);
    CHECK(*most <= 11);
}

TEST_CASE("with time enough all that are in the background are served", "[runtime][poller][NET-14]") {
    World world;
    for (int name = 0; name < 50; ++name) world.add(name, true).make_ready();
    world.poller.wait(0);
    world.poller.serve_background(1h);
    CHECK(world.called.size() == 50);
    CHECK_FALSE(world.poller.has_background());
}

TEST_CASE("who is removed or comes to the front is not called in the background", "[runtime][poller][NET-14]") {
    World world;
    for (int name = 0; name < 4; ++name) world.add(name, true).make_ready();
    world.poller.wait(0);
    world.poller.serve_background(no_time);
    CHECK(world.take() == std::vector<int>{0});
    world.files[1]->remove();
    world.files[2]->set_background(false);
    world.poller.wait(0);
    CHECK(world.take() == std::vector<int>{2});
    world.poller.serve_background(1h);
    CHECK(std::count(world.called.begin(), world.called.end(), 1) == 0);
    CHECK(std::count(world.called.begin(), world.called.end(), 3) == 1);
    world.take();
    world.files[0]->set_background(false);
    world.files[0]->make_ready();
    world.poller.wait(0);
    CHECK(world.take() == std::vector<int>{0});
    world.files[0]->set_background(true);
    world.files[0]->make_ready();
    world.poller.wait(0);
    CHECK(world.take().empty());
    world.poller.serve_background(no_time);
    CHECK(world.take() == std::vector<int>{0});
}

TEST_CASE("a wait ends when somebody in the background is ready", "[runtime][poller][NET-14]") {
    World world;
    auto& file = world.add(1, true);
    std::thread other{[&] { file.make_ready(); }};
    world.poller.wait(-1);
    other.join();
    CHECK(world.take().empty());
    CHECK(world.poller.has_background());
    world.poller.serve_background(no_time);
    CHECK(world.take() == std::vector<int>{1});
}
