#pragma once
// Which node keeps a key, for roles that share their keys among several nodes (players and channels among the centers).
// Every node comes to the same answer, whoever is up right now, since it follows from the configuration alone. By
// rendezvous hashing: one node more takes over its part of the keys, and no key moves between the others.
// Owner: the BusGroup. Loop: any; complete before the loops run. Nothing here fails.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace gs::cluster {

/// The same in every build: nodes must agree.
[[nodiscard]] std::uint64_t shard_key(std::uint64_t number);
[[nodiscard]] std::uint64_t shard_key(std::string_view text);

class Shards {
public:
    void add(Role role, std::string node);
    /// The node's name; empty when the configuration names no node with that role.
    [[nodiscard]] std::string_view keeper(Role role, std::uint64_t key) const;
    /// How many nodes have that role.
    [[nodiscard]] std::size_t count(Role role) const { return nodes_[static_cast<std::size_t>(role)].size(); }
    /// "center-1, center-2": the nodes of a role in alphabetical order. Those who share keys must agree on it.
    [[nodiscard]] std::string names(Role role) const;

private:
    struct Node {
        std::string name;
        std::uint64_t hash = 0;
    };
    std::array<std::vector<Node>, role_count> nodes_;
};

}  // namespace gs::cluster
