#pragma once
// Loads and saves entities through the storage role. A write is repeated under the same epoch and sequence until
// storage answers, so an answer lost on the way costs time, never data. Loop: the host's.
#include "base/metrics.hpp"
#include "cluster/bus.hpp"
#include "entity/turn.hpp"

namespace gs::entity {

class Persistence {
public:
    Persistence(cluster::RoleBus bus, Metrics& metrics);

    /// Takes ownership of the entity (its epoch rises) and reads it; with `expected` only while that write is the last.
    /// Errors: unavailable, deadline, fenced.
    [[nodiscard]] runtime::Task<Result<storage::Opened>> open(EntityKey key,
                                                              std::optional<storage::Ownership> expected = {});
    [[nodiscard]] runtime::Task<Result<storage::Loaded>> load(EntityKey key);
    [[nodiscard]] runtime::Task<Result<storage::Record>> read_record(std::string space, std::string key);

    [[nodiscard]] runtime::Task<Result<std::vector<storage::NamedRecord>>> list_records(std::string space);

    /// Ends with storage's answer, however long that takes, or with deadline after `patience`: whether it was done is
    /// unknown then. Other errors: the request itself is refused.
    [[nodiscard]] runtime::Task<Result<storage::Outcome>> commit(storage::Commit commit,
                                                                 runtime::Duration patience = runtime::Duration::max());

private:
    [[nodiscard]] Result<RoleAddress> storage_of(std::uint64_t key) const;

    cluster::RoleBus bus_;
    Histogram& commit_time_;
    Counter& repeated_;
    Counter& fenced_;
};

}  // namespace gs::entity
