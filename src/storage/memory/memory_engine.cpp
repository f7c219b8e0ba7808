#include "storage/memory/memory_engine.hpp"

#include <map>
#include <utility>

#include "storage/rules.hpp"

namespace gs::storage {

namespace {

struct StoredEntity {
    Ownership owner;
    std::map<std::string, std::string> components;
    std::string mark;
};

struct StoredRecord {
    std::uint64_t version = 0;
    std::optional<std::string> data;  ///< none: deleted; the version stays so that it is never used again
};

class MemoryEngine final : public Engine {
public:
    void run(std::span<Operation> batch) override {
        for (auto& operation : batch) {
            if (auto refused = refusal(operation.request)) {
                operation.result = std::move(*refused);
                continue;
            }
            std::visit([&](const auto& request) { operation.result = answer(request); }, operation.request);
        }
    }

    void idle() override {}

private:
    Answer answer(const Open& open) {
        if (auto refused = judge_open(open, owner_of(open.key))) return std::move(*refused);
        auto& entity = entities_[open.key];
        entity.owner = {.epoch = OwnerEpoch{static_cast<std::uint64_t>(entity.owner.epoch) + 1}, .sequence = 0};
        return Opened{.epoch = entity.owner.epoch, .components = components_of(open.key), .mark = entity.mark};
    }

    Loaded answer(const Load& load) { return {.components = components_of(load.key)}; }

    Record answer(const ReadRecord& read) {
        const auto found = records_.find({read.space, read.key});
        if (found == records_.end() || !found->second.data) return {};
        return {.version = found->second.version, .data = *found->second.data};
    }

    RecordList answer(const ListRecords& list) {
        RecordList found;
        for (auto at = records_.upper_bound({list.space, list.after});
             at != records_.end() && at->first.first == list.space && found.records.size() < list.most; ++at) {
            if (!at->second.data) continue;
            found.records.push_back({.key = at->first.second, .version = at->second.version, .data = *at->second.data});
        }
        return found;
    }

    Committed answer(const Commit& commit) {
        const auto find_owner = [this](const EntityKey& key) { return owner_of(key); };
        const auto version_of = [this](const std::string& space, const std::string& key) {
            const auto found = records_.find({space, key});
            return found == records_.end() || !found->second.data ? 0 : found->second.version;
        };
        const auto outcome = judge(commit, find_owner, version_of);
        if (outcome == Outcome::ok) write(commit);
        return {outcome};
    }

    void write(const Commit& commit) {
        for (const auto& write : commit.entities) {
            auto& entity = entities_[write.key];
            entity.owner.sequence = write.sequence;
            if (!write.mark.empty()) entity.mark = write.mark;
            for (const auto& component : write.components) entity.components[component.name] = component.data;
        }
        for (const auto& write : commit.records) {
            if (write.expected == 0 && !write.data) continue;  // asked only that there is none
            auto& record = records_[{write.space, write.key}];
            ++record.version;
            record.data = write.data;
        }
    }

    [[nodiscard]] std::optional<Ownership> owner_of(const EntityKey& key) const {
        const auto found = entities_.find(key);
        return found == entities_.end() ? std::nullopt : std::optional{found->second.owner};
    }

    [[nodiscard]] std::vector<ComponentData> components_of(const EntityKey& key) const {
        std::vector<ComponentData> components;
        const auto found = entities_.find(key);
        if (found == entities_.end()) return components;
        for (const auto& [name, data] : found->second.components) components.push_back({.name = name, .data = data});
        return components;
    }

    std::map<EntityKey, StoredEntity> entities_;
    std::map<std::pair<std::string, std::string>, StoredRecord> records_;
};

}  // namespace

std::unique_ptr<Engine> make_memory_engine() { return std::make_unique<MemoryEngine>(); }

}  // namespace gs::storage
