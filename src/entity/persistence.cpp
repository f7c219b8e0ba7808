#include "entity/persistence.hpp"

#include "base/log.hpp"
#include "base/planted.hpp"

namespace gs::entity {

namespace {
constexpr auto answer_deadline = std::chrono::seconds{5};
constexpr auto pause_first = std::chrono::milliseconds{20};
constexpr auto pause_most = std::chrono::seconds{1};

/// Refused for what it is, and so for ever; anything else may have been done or may yet be done.
bool is_refusal(Code code) { return code == Code::invalid || code == Code::unknown_command; }

std::uint64_t shard_key(const EntityKey& key) { return cluster::shard_key(cluster::shard_key(key.kind) ^ key.id); }

std::uint64_t shard_key(std::string_view space, std::string_view key) {
    return cluster::shard_key(cluster::shard_key(space) ^ cluster::shard_key(key));
}

/// All of one change goes to one storage, whatever it touches: their database is the same.
std::uint64_t shard_key(const storage::Commit& commit) {
    if (!commit.entities.empty()) return shard_key(commit.entities.front().key);
    if (commit.records.empty()) return 0;
    return shard_key(commit.records.front().space, commit.records.front().key);
}
}  // namespace

Persistence::Persistence(cluster::RoleBus bus, Metrics& metrics)
    : bus_{bus},
      commit_time_{
          metrics.histogram("gameserver_commit_seconds", "from the end of a turn until its change is durable")},
      repeated_{metrics.counter("gameserver_commit_repeated_total", "writes sent again because no answer came")},
      fenced_{metrics.counter("gameserver_commit_fenced_total", "writes refused because a newer owner exists")} {}

/// What concerns one key goes the same way while it can, so that it is done in order. Any other storage will do as well:
/// they work on one database, which checks each write.
Result<RoleAddress> Persistence::storage_of(std::uint64_t key) const {
    auto keeper = bus_.keeper(Role::storage, key);
    return keeper ? keeper : bus_.any(Role::storage);
}

runtime::Task<Result<storage::Opened>> Persistence::open(EntityKey key, std::optional<storage::Ownership> expected) {
    const auto to = storage_of(shard_key(key));
    if (!to) co_return Result<storage::Opened>{to.error()};
    storage::Open request;
    request.key = std::move(key);
    request.expected = expected;
    co_return co_await bus_.call(*to, std::move(request));
}

runtime::Task<Result<storage::Loaded>> Persistence::load(EntityKey key) {
    const auto to = storage_of(shard_key(key));
    if (!to) co_return Result<storage::Loaded>{to.error()};
    storage::Load request;
    request.key = std::move(key);
    co_return co_await bus_.call(*to, std::move(request));
}

runtime::Task<Result<storage::Record>> Persistence::read_record(std::string space, std::string key) {
    const auto to = storage_of(shard_key(space, key));
    if (!to) co_return Result<storage::Record>{to.error()};
    storage::ReadRecord request;
    request.space = std::move(space);
    request.key = std::move(key);
    co_return co_await bus_.call(*to, std::move(request));
}

runtime::Task<Result<std::vector<storage::NamedRecord>>> Persistence::list_records(std::string space) {
    std::vector<storage::NamedRecord> all;
    storage::ListRecords request;
    request.space = std::move(space);
    for (;;) {
        const auto to = storage_of(shard_key(request.space, {}));
        if (!to) co_return Result<std::vector<storage::NamedRecord>>{to.error()};
        auto page = co_await bus_.call(*to, request);
        if (!page) co_return Result<std::vector<storage::NamedRecord>>{page.error()};
        const bool is_last = page->records.size() < request.most;
        for (auto& record : page->records) all.push_back(std::move(record));
        if (is_last) co_return Result<std::vector<storage::NamedRecord>>{std::move(all)};
        request.after = all.back().key;
    }
}

runtime::Task<Result<storage::Outcome>> Persistence::commit(storage::Commit commit, runtime::Duration patience) {
    const auto began = bus_.loop().now();
    runtime::Duration pause = pause_first;
    for (int attempt = 1;; ++attempt) {
        const auto to = storage_of(shard_key(commit));
        if (to) {
            auto answer = co_await bus_.call(*to, commit, answer_deadline);
            if (answer) {
                commit_time_.observe(bus_.loop().now() - began);
                if (answer->outcome == storage::Outcome::fenced) fenced_.add();
                co_return Result<storage::Outcome>{answer->outcome};
            }
            if (is_refusal(answer.error().code()) || planted(PlantedBug::lost_unknown)) {
                co_return Result<storage::Outcome>{answer.error()};
            }
        }
        if (attempt == 10) {
            log::warn("a change of {} waits for storage, which does not answer",
                      commit.entities.empty() ? EntityKey{"record", 0} : commit.entities.front().key);
        }
        if (bus_.loop().now() - began >= patience) {
            co_return Result<storage::Outcome>{Error{Code::deadline, "storage does not answer; try again in a moment"}};
        }
        repeated_.add();
        co_await runtime::sleep(bus_.loop(), pause);
        pause = std::min<runtime::Duration>(pause * 2, pause_most);
    }
}

}  // namespace gs::entity
