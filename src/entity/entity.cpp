#include "entity/entity.hpp"

#include <algorithm>

namespace gs::entity {

Result<void> Entity::load(storage::Opened opened, const std::vector<const ComponentType*>& known) {
    slots_.clear();
    epoch_ = opened.epoch;
    sequence_ = 0;
    for (const auto& component : opened.components) {
        const auto type = std::find_if(known.begin(), known.end(), [&](const ComponentType* candidate) {
            return candidate->name == component.name;
        });
        // Data of a module that is not compiled in stays in the database as it is.
        if (type == known.end()) continue;
        auto value = (*type)->from_json(component.data);
        if (!value) {
            return Error{Code::internal, "component \"{}\" of {} in the database cannot be read: {}", component.name,
                         key_, value.error().message()};
        }
        slots_.push_back({*type, std::move(*value), nullptr, false, false});
    }
    return {};
}

Entity::Slot& Entity::slot(const ComponentType& type) {
    for (auto& slot : slots_) {
        if (slot.type == &type) return slot;
    }
    slots_.push_back({&type, type.make(), nullptr, false, false});
    return slots_.back();
}

ComponentValue& Entity::edit(const ComponentType& type) {
    if (!editing_) throw Error{Code::internal, "component \"{}\" of {} was edited outside of a turn", type.name, key_};
    auto& edited = slot(type);
    if (edited.before == nullptr) {
        edited_ = true;
        edited.before = edited.value->clone();
        edited.unsaved_before = edited.unsaved;
        edited.unsaved = true;
    }
    return *edited.value;
}

bool Entity::confirmed_edited() const {
    return std::any_of(slots_.begin(), slots_.end(),
                       [](const Slot& slot) { return slot.before != nullptr && slot.type->save == Save::confirmed; });
}

void Entity::undo_edits() {
    for (auto& slot : slots_) {
        if (slot.before == nullptr) continue;
        slot.value = std::move(slot.before);
        slot.unsaved = slot.unsaved_before;
    }
    editing_ = edited_ = false;
}

void Entity::forget_before() {
    for (auto& slot : slots_) slot.before.reset();
}

bool Entity::unsaved() const {
    return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.unsaved; });
}

bool Entity::unsaved_real_time() const {
    return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
        return slot.unsaved && (slot.type->save == Save::real_time || slot.type->save == Save::confirmed);
    });
}

storage::EntityWrite Entity::next_write() const {
    storage::EntityWrite write{key_, epoch_, sequence_ + 1, {}, mark()};
    for (const auto& slot : slots_) {
        if (slot.unsaved) write.components.push_back({std::string{slot.type->name}, slot.value->to_json()});
    }
    return write;
}

void Entity::write_done() {
    ++sequence_;
    for (auto& slot : slots_) slot.unsaved = false;
}

}  // namespace gs::entity
