#include "cluster/shards.hpp"

#include <set>

#include <fmt/ranges.h>

namespace gs::cluster {

/// Source: the finaliser of splitmix64, Vigna.
std::uint64_t shard_key(std::uint64_t number) {
    number = (number ^ (number >> 30U)) * 0xbf58476d1ce4e5b9U;
    number = (number ^ (number >> 27U)) * 0x94d049bb133111ebU;
    return number ^ (number >> 31U);
}

/// Source: FNV-1a; its low bits alone would be too much alike for names that differ in their last letter.
std::uint64_t shard_key(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const auto letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
    return shard_key(hash);
}

void Shards::add(Role role, std::string node) {
    const auto hash = shard_key(node);
    nodes_[static_cast<std::size_t>(role)].push_back({std::move(node), hash});
}

std::string Shards::names(Role role) const {
    std::set<std::string_view> names;
    for (const auto& node : nodes_[static_cast<std::size_t>(role)]) names.insert(node.name);
    return fmt::format("{}", fmt::join(names, ", "));
}

std::string_view Shards::keeper(Role role, std::uint64_t key) const {
    const Node* best = nullptr;
    std::uint64_t most = 0;
    for (const auto& node : nodes_[static_cast<std::size_t>(role)]) {
        const auto weight = shard_key(node.hash ^ key);
        if (best != nullptr && weight <= most) continue;
        best = &node;
        most = weight;
    }
    return best == nullptr ? std::string_view{} : std::string_view{best->name};
}

}  // namespace gs::cluster
