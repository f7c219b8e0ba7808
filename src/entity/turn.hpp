#pragma once
// The unit of work: what one message did to its entity, and what must not leave before that is kept. Edits, records and
// held messages are committed together or dropped together.
// Owner: the host, for the length of the turn; current() finds it from handler code, over suspensions too.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/message.hpp"
#include "entity/entity.hpp"
#include "runtime/task.hpp"

namespace gs::entity {

class Turn {
public:
    explicit Turn(Entity& entity) : entity_{entity} { entity.begin_edits(); }
    ~Turn() = default;
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    /// The turn whose handler is running now; null outside of one (timers, start).
    [[nodiscard]] static Turn* current() { return static_cast<Turn*>(runtime::current_context()); }

    [[nodiscard]] Entity& entity() { return entity_; }
    [[nodiscard]] bool is_of(const Entity& entity) const { return &entity_ == &entity; }

    /// Runs when the turn is kept (after its commit, where it needs one), in the order of asking; never when it is
    /// undone.
    void after_commit(runtime::Job job) { held_.push_back(std::move(job)); }
    /// A record that is written in the same transaction as the entity.
    void write_record(storage::RecordWrite write) { records_.push_back(std::move(write)); }

    /// What another entity does together with this one: in the same transaction, or not at all. `decide` is told once.
    void add_partner(storage::Commit change, std::function<void(bool done)> decide) {
        partners_.push_back({std::move(change), std::move(decide)});
    }
    /// Nobody here knows how it ended: they are told nothing, and find out.
    void leave_partners() { partners_.clear(); }
    [[nodiscard]] bool has_partners() const { return !partners_.empty(); }
    [[nodiscard]] bool has_partner(const EntityKey& key) const {
        return std::any_of(partners_.begin(), partners_.end(),
                           [&](const Partner& partner) { return partner.change.entities.front().key == key; });
    }

    [[nodiscard]] bool needs_commit() const {
        return !records_.empty() || !partners_.empty() || entity_.needs_confirmation();
    }
    [[nodiscard]] storage::Commit commit() const {
        storage::Commit all{{entity_.next_write()}, records_};
        for (const auto& [change, decide] : partners_) {
            all.entities.insert(all.entities.end(), change.entities.begin(), change.entities.end());
            all.records.insert(all.records.end(), change.records.begin(), change.records.end());
        }
        return all;
    }

    void keep(bool committed) {
        if (committed) entity_.write_done();
        entity_.keep_edits();
        decide(committed);
        // One of them may ask for more.
        while (!held_.empty()) {
            auto jobs = std::exchange(held_, {});
            for (auto& job : jobs) job();
        }
    }
    void undo() {
        entity_.undo_edits();
        held_.clear();
        decide(false);
    }

private:
    struct Partner {
        storage::Commit change;
        std::function<void(bool done)> decide;
    };
    void decide(bool done) {
        if (partners_.empty()) return;
        for (const auto& partner : std::exchange(partners_, {})) partner.decide(done);
    }

    Entity& entity_;
    std::vector<Partner> partners_;
    std::vector<runtime::Job> held_;
    std::vector<storage::RecordWrite> records_;
};

/// When the turn that runs now is kept; outside of one, at once.
inline void after_commit(runtime::Job job) {
    if (auto* turn = Turn::current()) {
        turn->after_commit(std::move(job));
    } else {
        job();
    }
}

}  // namespace gs::entity
