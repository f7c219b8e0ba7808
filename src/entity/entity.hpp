#pragma once
// An entity in memory: its components, its owner epoch and its mailbox. During a turn edit() remembers what was before;
// the unit of work commits all changes together or undoes them together.
// Owner: the role that hosts it. Loop: that role's.
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "entity/component.hpp"
#include "entity/mailbox.hpp"
#include "storage/operations.hpp"

namespace gs::entity {

class Entity {
public:
    explicit Entity(EntityKey key) : key_{std::move(key)} {}
    virtual ~Entity() = default;
    Entity(const Entity&) = delete;
    Entity& operator=(const Entity&) = delete;

    [[nodiscard]] const EntityKey& key() const { return key_; }
    [[nodiscard]] Mailbox& mailbox() { return mailbox_; }

    /// The component, with its defaults when it was never changed. The reference lives until the turn ends.
    template <Component T>
    [[nodiscard]] const T& get() {
        return static_cast<const ComponentOf<T>&>(*slot(component_type<T>()).value).value;
    }
    /// As it was before the turn that runs: what others may see of it.
    template <Component T>
    [[nodiscard]] const T& committed() {
        const auto& found = slot(component_type<T>());
        const auto& value = found.before != nullptr ? *found.before : *found.value;
        return static_cast<const ComponentOf<T>&>(value).value;
    }
    /// To change it. Only inside a turn of this entity.
    template <Component T>
    [[nodiscard]] T& edit() {
        return static_cast<ComponentOf<T>&>(edit(component_type<T>())).value;
    }

    // --- for the unit of work and the host -----------------------------------------------------------------------
    /// Errors: a component that cannot be read; nothing must be saved over it then.
    [[nodiscard]] Result<void> load(storage::Opened opened, const std::vector<const ComponentType*>& known);
    [[nodiscard]] OwnerEpoch epoch() const { return epoch_; }
    /// What storage says of this entity while nobody else has opened it.
    [[nodiscard]] storage::Ownership last_write() const { return {epoch_, sequence_}; }

    void begin_edits() { editing_ = true; }
    /// Something changed in this turn that must be durable before anyone hears of it.
    [[nodiscard]] bool needs_confirmation() const { return edited_ && confirmed_edited(); }
    void undo_edits();
    /// What was changed stays; it waits for a save unless it was just committed.
    void keep_edits() {
        if (edited_) forget_before();
        editing_ = edited_ = false;
    }

    [[nodiscard]] bool unsaved() const;
    /// Changed components that must not wait longer than a second.
    [[nodiscard]] bool unsaved_real_time() const;
    /// Everything changed and not saved, as the next write of this epoch. `write_done` says that it is durable.
    [[nodiscard]] storage::EntityWrite next_write() const;
    void write_done();
    /// A write of that number without any component is durable: what is unsaved stays so.
    void write_skipped() { ++sequence_; }

protected:
    /// What the host notes with every write of the entity; JSON.
    [[nodiscard]] virtual std::string mark() const { return {}; }

private:
    struct Slot {
        const ComponentType* type;
        std::unique_ptr<ComponentValue> value;
        std::unique_ptr<ComponentValue> before;  // of this turn; null: not edited in it
        bool unsaved = false;
        bool unsaved_before = false;
    };
    Slot& slot(const ComponentType& type);
    ComponentValue& edit(const ComponentType& type);
    [[nodiscard]] bool confirmed_edited() const;
    void forget_before();

    EntityKey key_;
    std::vector<Slot> slots_;
    OwnerEpoch epoch_{};
    std::uint64_t sequence_ = 0;
    bool editing_ = false;
    bool edited_ = false;  // in this turn: a slot has a `before`
    Mailbox mailbox_;
};

}  // namespace gs::entity
