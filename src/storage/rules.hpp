#pragma once
// What decides a request, the same for every engine: bounds that are checked first, then the outcome of a commit.
#include <optional>
#include <string_view>

#include "storage/engine.hpp"

namespace gs::storage {

inline constexpr std::size_t data_bytes_max = 1024 * 1024;  ///< of one component or record
inline constexpr std::size_t name_bytes_max = 255;          ///< of a kind, component, space or key

/// Why the request can never succeed: an empty or absurd name, too much data, one thing written twice.
[[nodiscard]] std::optional<Error> refusal(const Request& request);

/// Sets every result to the same Error{unavailable}.
void fail_all(std::span<Operation> batch, std::string_view reason);

/// Why the entity is not opened: somebody else has opened or written it since.
[[nodiscard]] std::optional<Error> judge_open(const Open& open, const std::optional<Ownership>& stored);

[[nodiscard]] Outcome judge_entity(const EntityWrite& write, const std::optional<Ownership>& stored);

/// The outcome of a commit, before anything is written.
/// `owner_of(key) -> std::optional<Ownership>`, `version_of(space, key) -> std::uint64_t` (0: absent) read the store.
template <class OwnerOf, class VersionOf>
[[nodiscard]] Outcome judge(const Commit& commit, const OwnerOf& owner_of, const VersionOf& version_of) {
    for (const auto& write : commit.entities) {
        const auto outcome = judge_entity(write, owner_of(write.key));
        if (outcome == Outcome::ok) continue;
        // Who asks comes first, and keeps that number for this commit: if it is taken, all of it was done, wherever the
        // others are now. A number of another one that is taken may be that of another write.
        const bool is_first = &write == &commit.entities.front();
        return is_first ? outcome : Outcome::fenced;
    }
    for (const auto& write : commit.records) {
        if (version_of(write.space, write.key) != write.expected) return Outcome::conflict;
    }
    return Outcome::ok;
}

}  // namespace gs::storage
