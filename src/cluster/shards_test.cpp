#include "cluster/shards.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace gs;
using namespace gs::cluster;

namespace {
Shards centers(const std::vector<std::string>& names) {
    Shards shards;
    for (const auto& name : names) shards.add(Role::center, name);
    return shards;
}
}  // namespace

TEST_CASE("keys are spread evenly over the nodes of a role, the same way in every build", "[cluster][CEN-06]") {
    const auto shards = centers({"center-1", "center-2", "center-3"});
    std::map<std::string_view, int> count;
    for (std::uint64_t player = 1; player <= 3000; ++player) ++count[shards.keeper(Role::center, shard_key(player))];
    for (const auto& [name, keys] : count) {
        CAPTURE(name);
        CHECK(keys > 900);
        CHECK(keys < 1100);
    }
    CHECK(shards.keeper(Role::center, shard_key(1)) == "center-2");
    CHECK(shards.keeper(Role::center, shard_key("world")) == "center-1");
    CHECK(shards.keeper(Role::storage, shard_key(1)).empty());
}

TEST_CASE("a further node takes its part of the keys, and no other key moves", "[cluster][CEN-06]") {
    const auto before = centers({"center-1", "center-2"});
    const auto after = centers({"center-3", "center-2", "center-1"});  // in whatever order they are named
    int moved = 0;
    for (std::uint64_t player = 1; player <= 3000; ++player) {
        const auto key = shard_key(player);
        if (after.keeper(Role::center, key) == "center-3") {
            ++moved;
        } else {
            REQUIRE(after.keeper(Role::center, key) == before.keeper(Role::center, key));
        }
    }
    CHECK(moved > 900);
    CHECK(moved < 1100);
}
